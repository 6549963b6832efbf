"""lineal find: what the registry knows of a folder of unknown origin."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lineal.cli.options import JsonOption, RegistryOption, ThreadsOption
from lineal.cli.terminal import print_json, say

if TYPE_CHECKING:
    from lineal.lineage.questions.search import Match

EXAMPLES = """
Exit code 0: it is known, or shares tensors with what is; 1: nothing here has a tensor of it, or was made on it.

Examples:

  lineal find ./downloaded          is this a model that is known, or one like it?

  lineal find code.jsonl            which models were made on this file, or scored on it?

  lineal find b3:1f2e3d4c           which models hold the weights of this layout hash?

  lineal find family.yaml           which models were built from it, as it stands now?
"""

_USES = ("made_on", "through", "scored_on", "built_from")
"""What a file may have been to a model, in JSON."""


def find(
    folder: Annotated[Path, typer.Argument(help="A model folder, a GGUF, a data file, a recipe, or a layout hash.")],
    threads: ThreadsOption = None,
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Hash a model or a data file on disk: the known models that it is, shares tensors with or went into."""
    from lineal.checkpoint.reader import is_lone_file
    from lineal.lineage.tables.names import HASH_PREFIX

    if str(folder).startswith(HASH_PREFIX) and not folder.exists():
        _find_layout(str(folder), registry, as_json=as_json)
    elif folder.is_file() and not is_lone_file(folder):
        _find_data(folder, registry, as_json=as_json)
    else:
        _find_model(folder, threads, registry, as_json=as_json)


def _find_model(folder: Path, threads: int | None, registry: str | None, *, as_json: bool) -> None:
    from lineal.cli.session import open_session
    from lineal.derivation.hashes import format_hash
    from lineal.errors import AnswerIsNo
    from lineal.lineage.questions.search import matches

    with open_session(registry, threads, must_exist=True) as session:
        model = session.identify(session.open(str(folder), folder)).record
        found = matches(session.registry, model)
        labels = {match.model_hash: session.registry.label(match.model_hash) for match in found}
    if as_json:
        print_json(
            {
                "model": format_hash(model.manifest.model_hash),
                "layout_hash": None if model.layout_hash is None else format_hash(model.layout_hash),
                "tensors": len(model.manifest.leaves),
                "matches": [
                    {
                        "model": format_hash(match.model_hash),
                        "label": labels[match.model_hash],
                        "same_model": match.same_model,
                        "same_weights": match.same_weights,
                        "another_layout": match.another_layout,
                        "shared_tensors": match.shared_tensors,
                        "of_tensors": match.tensors,
                        "shared_bytes": match.shared_bytes,
                    }
                    for match in found
                ],
            }
        )
    else:
        for match in found:
            say(f"{labels[match.model_hash]}  {_said(match)}")
    if not found:
        raise AnswerIsNo(f"no known model has a tensor of {folder}")


def _find_layout(reference: str, registry: str | None, *, as_json: bool) -> None:
    """The models whose layout hash begins so: what else takes a hash takes that of one model."""
    from lineal.derivation.hashes import format_hash
    from lineal.errors import AnswerIsNo
    from lineal.lineage.database.locate import locate
    from lineal.lineage.questions.layouts import by_layout_hash
    from lineal.lineage.registry import Registry

    with Registry.open_existing(locate(registry)) as opened:
        found = by_layout_hash(opened, reference)
        labels = {model: opened.label(model) for model in found}
    if as_json:
        told = {model: {"model": format_hash(model), "label": labels[model]} for model in found}
        print_json([{**told[model], "layout_hash": format_hash(layout)} for model, layout in found.items()])
    else:
        say(*(f"{labels[model]}  layout hash {format_hash(layout)}" for model, layout in found.items()))
    if not found:
        raise AnswerIsNo(f"no known model has a layout hash that begins with {reference}")


def _find_data(file: Path, registry: str | None, *, as_json: bool) -> None:
    """The models that were made on a file, those made from them, those scored on it, and those it is a recipe of."""
    from lineal.derivation.hashes import format_hash
    from lineal.errors import AnswerIsNo
    from lineal.lineage.database.locate import locate
    from lineal.lineage.registry import Registry
    from lineal.lineage.stated import recipe_files
    from lineal.lineage.tables import data_files, references

    with Registry.open_existing(locate(registry)) as opened, opened.reading() as connection:
        digest = data_files.resolve(connection, str(file)).data_hash
        made, scored = data_files.made_on(connection, digest), data_files.scored_on(connection, digest)
        through = [model for model in data_files.reached(connection, digest) if model not in made]
        built = recipe_files.built_from(connection, digest)
        labels = references.labels(connection, {*made, *through, *scored, *built})
    uses = {"data of": made, "through them in": through, "scored on it:": scored, "recipe of": built}
    if as_json:
        named = [[labels[model] for model in models] for models in uses.values()]
        print_json({"data": format_hash(digest), **dict(zip(_USES, named, strict=True))})
    else:
        for use, models in uses.items():
            if models:
                say(f"{file.name}: {use} {', '.join(labels[model] for model in models)}")
    if not made and not scored and not built:
        raise AnswerIsNo(f"no known model was made or scored on {file}, or built from it")


def _said(match: "Match") -> str:
    from lineal.lineage.questions.layouts import ANOTHER_LAYOUT
    from lineal.lineage.records.wording import size

    if match.same_model:
        return "this very model"
    if match.same_weights:
        return "the same weights, with another config or tokenizer"
    if match.another_layout:
        return ANOTHER_LAYOUT
    return f"{match.shared_tensors} of {match.tensors} tensors, {size(match.shared_bytes)}"
