"""Greedy soups of small Llamas: what goes in, what is kept, and what a kill costs."""

import math
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from lineal.derivation.step import Role
from lineal.engines.inference import evaluate as evaluation
from lineal.engines.inference.evaluate import Scores
from lineal.engines.inference.language_model import ModelFolder
from lineal.errors import CheckpointError
from lineal.family.build.makers.merges import Merging
from lineal.family.build.plan import plan_family
from lineal.family.build.run import run_family
from lineal.family.build.soup import stream_soup
from lineal.family.file.read import read_family
from lineal.family.session import LocalModel, Session
from lineal.family.trust.verify import verify_model
from lineal.lineage.records.lineal_json import read_provenance
from lineal.lineage.records.wording import summary
from lineal.methods.merge.soup import GreedySoup, UniformSoup
from tests.builders import make_adapter
from tests.engines.scoring import evaluate
from tests.engines.tiny_models import POSITIONS, make_documents
from tests.family.conftest import write_family
from tests.family.pantry import SOUP, fill_pantry

Tensors = Mapping[str, np.ndarray]


@pytest.fixture(scope="module")
def pantry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fill_pantry(tmp_path_factory.mktemp("pantry"))


@pytest.fixture
def kitchen(pantry: Path, tmp_path: Path) -> Path:
    return shutil.copytree(pantry, tmp_path, dirs_exist_ok=True)


@pytest.fixture
def evaluated(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Every folder that is evaluated."""
    seen: list[Path] = []
    evaluate = evaluation.evaluate

    def watched(model: ModelFolder, *args: Any, **options: Any) -> Iterator[tuple[str, Scores]]:
        seen.append(model.folder)
        return evaluate(model, *args, **options)

    monkeypatch.setattr(evaluation, "evaluate", watched)
    return seen


def cook(session: Session, folder: Path, text: str = SOUP) -> LocalModel:
    return run_family(session, read_family(write_family(folder, text), session.knows), folder / "models")["soup"]


def ingredients_of(local: LocalModel) -> list[int]:
    provenance = read_provenance(local.folder)
    assert provenance is not None
    return provenance.step.options["ingredients"]  # pyright: ignore[reportReturnType]


def nats_of(folder: Path, tensors: Tensors, text: Path) -> float:
    """Mean negative log-likelihood by transformers' own loss, window by window."""
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    model.load_state_dict({name: torch.from_numpy(values) for name, values in tensors.items()}, strict=False)
    model.tie_weights()
    tokens = tokenizer(text.read_text(encoding="utf-8"))["input_ids"]
    total = 0.0
    for start in range(0, len(tokens) - 1, POSITIONS):
        window = torch.tensor(tokens[start : start + POSITIONS + 1])
        with torch.no_grad():
            logits = model(window[None, :-1]).logits[0].double()
        total += torch.nn.functional.cross_entropy(logits, window[1:], reduction="sum").item()
    return total / (len(tokens) - 1)


def expected_ingredients(folder: Path, texts: list[str]) -> list[int]:
    """Recipe 1, on means in float64 and losses of transformers'."""
    models = [load_file(folder / name / "model.safetensors") for name in "abc"]

    def nats(places: list[int]) -> float:
        mean = {
            name: np.mean([models[i][name].astype(np.float64) for i in places], axis=0).astype(np.float32)
            for name in models[0]
        }
        return float(np.mean([nats_of(folder / "a", mean, folder / text) for text in texts]))

    order = sorted(range(3), key=lambda place: nats([place]))
    soup = order[:1]
    for place in order[1:]:
        soup = [*soup, place] if nats([*soup, place]) <= nats(soup) else soup
    return soup


def test_the_soup_is_the_mean_of_what_recipe_1_picks(session: Session, kitchen: Path) -> None:
    soup = cook(session, kitchen)
    picked = ingredients_of(soup)
    assert picked == expected_ingredients(kitchen, ["val.txt"])
    assert 2 not in picked
    models = [load_file(kitchen / name / "model.safetensors") for name in "abc"]
    for name, values in load_file(soup.folder / "model.safetensors").items():
        alone = [models[place][name] for place in picked]
        np.testing.assert_array_equal(values, UniformSoup()(alone) if len(alone) > 1 else alone[0])


def test_only_what_goes_in_is_read(session: Session, kitchen: Path) -> None:
    inputs: list[tuple[Role, LocalModel]] = [("parent", session.open(name, kitchen / name)) for name in "abc"]
    every = Merging().plan(UniformSoup(), inputs).bytes_read
    assert stream_soup(GreedySoup(ingredients=(2, 0)), inputs).bytes_read * 3 == every * 2
    save_file({"other.weight": np.zeros(3, np.float32)}, kitchen / "b" / "model.safetensors")
    inputs[1] = ("parent", session.open("b", kitchen / "b"))
    with pytest.raises(CheckpointError, match="these models cannot be merged"):
        stream_soup(GreedySoup(ingredients=(2, 0)), inputs)


def test_several_texts_count_alike_by_the_logarithm_of_their_perplexities(session: Session, kitchen: Path) -> None:
    soup = cook(session, kitchen, SOUP.replace("data: val.txt", "data: [val.txt, other.txt]"))
    assert ingredients_of(soup) == expected_ingredients(kitchen, ["val.txt", "other.txt"])
    provenance = read_provenance(soup.folder)
    assert provenance is not None
    assert [file.name for file in provenance.step.data] == ["val.txt", "other.txt"]


@pytest.mark.parametrize("order", ["a, b, c", "c, b, a", "c, a"])
def test_a_soup_is_never_worse_than_the_best_model_alone(session: Session, kitchen: Path, order: str) -> None:
    soup = cook(session, kitchen, SOUP.replace("[a, b, c]", f"[{order}]"))
    folders = [soup.folder, *(kitchen / name for name in order.split(", "))]
    perplexity, *alone = (evaluate(f, {"it": kitchen / "val.txt"})["it"].perplexity for f in folders)
    assert perplexity <= min(alone)


def test_a_second_run_evaluates_nothing_and_changes_nothing(
    session: Session, kitchen: Path, evaluated: list[Path]
) -> None:
    first = cook(session, kitchen)
    assert evaluated
    evaluated.clear()
    before = {path: path.stat().st_mtime_ns for path in first.folder.iterdir()}
    assert cook(session, kitchen).model_hash == first.model_hash
    assert {path: path.stat().st_mtime_ns for path in first.folder.iterdir()} == before
    assert not evaluated


def test_another_text_picks_anew(session: Session, kitchen: Path, evaluated: list[Path]) -> None:
    cook(session, kitchen)
    evaluated.clear()
    (kitchen / "val.txt").write_text("\n".join(make_documents(11, 4)), encoding="utf-8")
    cook(session, kitchen)
    assert evaluated


def test_verifying_recomputes_the_mean_without_the_text(session: Session, kitchen: Path, evaluated: list[Path]) -> None:
    soup = cook(session, kitchen)
    (kitchen / "val.txt").unlink()
    evaluated.clear()
    verdict = verify_model(session, soup.model_hash)
    assert verdict.ok
    assert verdict.recomputed == len(soup.checkpoint)
    assert not evaluated


def test_what_a_killed_run_evaluated_is_not_evaluated_again(
    session: Session, kitchen: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    undisturbed = shutil.copytree(kitchen, tmp_path_factory.mktemp("undisturbed"), dirs_exist_ok=True)
    evaluate, finished = evaluation.evaluate, 0

    def interrupted(*args: Any, **options: Any) -> Iterator[tuple[str, Scores]]:
        nonlocal finished
        if finished == 2:
            finished += 1
            raise KeyboardInterrupt
        finished += 1
        return evaluate(*args, **options)

    monkeypatch.setattr(evaluation, "evaluate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        cook(session, kitchen)
    finished = 10
    soup = cook(session, kitchen)
    assert finished - 10 == 3  # of three models and two soups, two were known
    monkeypatch.undo()
    expected = cook(session, undisturbed)
    assert (soup.folder / "model.safetensors").read_bytes() == (expected.folder / "model.safetensors").read_bytes()
    assert {path.name for path in (kitchen / "models").iterdir()} == {"soup", ".locks"}


def scored(monkeypatch: pytest.MonkeyPatch, perplexity: Callable[[Tensors], float]) -> None:
    """Evaluations that give each model what `perplexity` makes of its tensors."""

    def fake(model: ModelFolder, texts: Mapping[str, Path], **_: Any) -> dict[str, Scores]:
        found = perplexity(load_file(model.folder / "model.safetensors"))
        return {name: Scores(found, 1.0, 1, 1) for name in texts}

    monkeypatch.setattr(evaluation, "evaluate", fake)


def test_of_equal_perplexities_every_model_goes_in_in_order(
    session: Session, kitchen: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored(monkeypatch, lambda _: 7.0)
    assert ingredients_of(cook(session, kitchen)) == [0, 1, 2]


def test_a_model_that_makes_the_soup_worse_stays_out(
    session: Session, kitchen: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    best = load_file(kitchen / "c" / "model.safetensors")["model.norm.weight"]
    scored(monkeypatch, lambda tensors: math.exp(float(np.abs(tensors["model.norm.weight"] - best).sum())))
    soup = cook(session, kitchen)
    assert ingredients_of(soup) == [2]
    assert load_file(soup.folder / "model.safetensors").keys() == load_file(kitchen / "c" / "model.safetensors").keys()


def test_a_parent_may_go_in_twice(session: Session, kitchen: Path) -> None:
    soup = cook(session, kitchen, SOUP.replace("[a, b, c]", "[b, b]"))
    assert ingredients_of(soup) == [0, 1]
    weights = (kitchen / "b" / "model.safetensors", soup.folder / "model.safetensors")
    expected, found = (load_file(path) for path in weights)
    assert all(np.array_equal(found[name], values) for name, values in expected.items())


def test_an_adapter_goes_in_as_part_of_its_base(session: Session, kitchen: Path, evaluated: list[Path]) -> None:
    module = "model.layers.0.mlp.up_proj"
    generator = np.random.default_rng(7)
    pair = [(0.01 * generator.standard_normal(shape)).astype(np.float32) for shape in ((2, 32), (48, 2))]
    make_adapter(kitchen / "tuned", {module: (pair[0], pair[1])})
    text = SOUP.replace("c: {original: {path: ./c}}", "c: {original: {path: ./tuned}}")
    soup = cook(session, kitchen, text.replace("[a, b, c]", "[b, c], base: a"))
    provenance = read_provenance(soup.folder)
    assert provenance is not None
    assert [i.role for i in provenance.step.inputs] == ["base", "parent", "adapter"]
    assert soup.form == "full"
    assert len(evaluated) == 3
    a, b = (load_file(kitchen / name / "model.safetensors")[f"{module}.weight"].astype(np.float64) for name in "ab")
    alone = [b, a + 2.0 * pair[1].astype(np.float64) @ pair[0]]
    found = load_file(soup.folder / "model.safetensors")[f"{module}.weight"]
    expected = np.mean([alone[place] for place in ingredients_of(soup)], axis=0)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "change",
    [
        lambda kitchen: (kitchen / "val.txt").write_text("another text", encoding="utf-8"),
        lambda kitchen: (kitchen / "b" / "generation_config.json").write_text('{"temperature": 0.5}'),
    ],
    ids=["text", "config"],
)
def test_half_a_search_is_not_continued_on_another_text_or_beside_another_config(
    session: Session, kitchen: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], int]
) -> None:
    """The models are given by their paths, so that their hashes are not known beforehand."""
    family = "models: {soup: {merge: {parents: [./a, ./b], method: greedy_soup, data: val.txt}}}"
    tried: list[Path] = []

    def interrupted(model: ModelFolder, texts: Mapping[str, Path], **_: Any) -> dict[str, Scores]:
        tried.append(model.folder)
        if len(tried) == 2:
            raise KeyboardInterrupt
        return dict.fromkeys(texts, Scores(3.0, 1.0, 1, 1))

    monkeypatch.chdir(kitchen)
    monkeypatch.setattr(evaluation, "evaluate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        cook(session, kitchen, family)
    change(kitchen)
    cook(session, kitchen, family)
    assert len(tried) == 2 + 3


def test_plan_summary_and_card_know_the_soup(session: Session, kitchen: Path) -> None:
    family = read_family(write_family(kitchen, SOUP))
    planned = plan_family(session, family, kitchen / "models")[-1]
    assert (planned.how, planned.status) == ("merge, greedy_soup", "to build")
    assert planned.note == "its ingredients are picked by at most 5 evaluations"
    assert (planned.bytes_read, planned.memory_bytes) == (None, None)
    soup = cook(session, kitchen)
    provenance = read_provenance(soup.folder)
    assert provenance is not None
    assert summary(provenance.step) == f"greedy_soup {len(ingredients_of(soup))} of 3 models"
    card = (soup.folder / "README.md").read_text(encoding="utf-8")
    assert "| val.txt | `b3:" in card
    assert f"| ingredients | `{ingredients_of(soup)}` |" in card
    assert plan_family(session, family, kitchen / "models")[-1].status == "present"
