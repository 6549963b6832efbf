"""Picking the ingredients of a greedy soup: each candidate is streamed, evaluated and deleted, one at a time."""

import json
import math
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import final

from lineal.engines.merge.plan import plan_merge
from lineal.engines.stream.jobs import Job
from lineal.engines.stream.plan import StreamPlan
from lineal.family.build.request import Request
from lineal.family.build.scratch import Scratch
from lineal.family.build.streams import weights_of, write_stream
from lineal.family.progress import StepProgress
from lineal.family.session import Inputs, Session
from lineal.methods.merge.linear import Linear
from lineal.methods.merge.soup import GreedySoup, pick_greedily

JOURNAL = "soups.json"


def stream_soup(method: GreedySoup, inputs: Inputs) -> StreamPlan:
    """The mean of the ingredients; what does not go in is checked like the rest, but not read.

    While they are not picked, all models are taken for ingredients.
    """
    _, models = weights_of(inputs)
    soup = method.before_picking(len(models))

    def of_ingredients(job: Job) -> Job:
        if not job.method:
            return job
        return replace(job, models=tuple(job.models[place] for place in soup.ingredients), method=Linear())

    return plan_merge(soup, models).each(of_ingredients)


def pick_ingredients(session: Session, request: Request, method: GreedySoup, scratch: Scratch) -> GreedySoup:
    """The method with the ingredients that the request's texts pick; what a killed run evaluated is not repeated."""
    scratch.work.mkdir(exist_ok=True)
    scores = CandidateScores(session, request, method, scratch)
    return replace(method, ingredients=pick_greedily(len(scores.models), scores.nats))


@final
class CandidateScores:
    """How well the mean of some of the models predicts the texts; a journal keeps what is known.

    A model alone is tried like any soup, as it would come out: an adapter as part of its base, in the child's dtypes.
    """

    def __init__(self, session: Session, request: Request, method: GreedySoup, scratch: Scratch) -> None:
        self._session, self._request, self._method, self._scratch = session, request, method, scratch
        self._journal = scratch.work / JOURNAL
        self._known = _read(self._journal)
        self.models = [local.label for role, local in request.inputs if role != "base"]

    def nats(self, ingredients: tuple[int, ...]) -> float:
        """Nats a token, the mean over the texts: the logarithm of the soup's perplexity."""
        title = " + ".join(self.models[index] for index in ingredients)
        if ingredients not in self._known:
            self._known[ingredients] = self._evaluated(ingredients, title)
            _write(self._journal, self._known)
        nats = self._known[ingredients]
        self._session.progress.say(f"{self._request.name.name}: {title}: perplexity {math.exp(min(nats, 700)):.4g}")
        return nats

    def _evaluated(self, ingredients: tuple[int, ...], title: str) -> float:
        from lineal.engines.inference.evaluate import Reading, evaluate  # torch is imported only where a model is run
        from lineal.engines.inference.language_model import ModelFolder
        from lineal.family.build.evaluation import context_of

        folder = self._scratch.work / "candidate"
        plan = stream_soup(replace(self._method, ingredients=ingredients), self._request.inputs)
        key = f"{self._scratch.key} {ingredients}"
        _ = write_stream(
            self._session, plan, folder, key, f"mixing {title}", allow_nonfinite=self._request.allow_nonfinite
        )
        texts = {str(path): path for path in self._request.data}
        context = context_of(self._session.open(title, folder))
        with StepProgress(self._session.progress, f"evaluating {title}", "tokens") as report:
            scores = dict(evaluate(ModelFolder(folder), texts, reading=Reading(context), progress=report))
        shutil.rmtree(folder)
        return sum(math.log(scores[str(path)].perplexity) for path in self._request.data) / len(self._request.data)


def _read(journal: Path) -> dict[tuple[int, ...], float]:
    """Nats by ingredients; nothing where no soup was finished."""
    if not journal.exists():
        return {}
    entries: list[tuple[list[int], float]] = json.loads(journal.read_bytes())
    return {tuple(ingredients): nats for ingredients, nats in entries}


def _write(journal: Path, known: dict[tuple[int, ...], float]) -> None:
    """A kill leaves the old journal or the new one, and so does a power cut."""
    draft = journal.with_suffix(".draft")
    with draft.open("w", encoding="utf-8") as file:
        json.dump(list(known.items()), file)
        file.flush()
        os.fsync(file.fileno())
    _ = draft.replace(journal)
