"""lineal tainted: whether models may be used."""

from typing import TYPE_CHECKING, Annotated

import typer

from lineal.cli.options import JsonOption, RegistryOption, model_names
from lineal.cli.terminal import print_json, say

if TYPE_CHECKING:
    from lineal.derivation.canonical import Json
    from lineal.lineage.registry import Registry
    from lineal.lineage.tables.taints import Taint

EXAMPLES = """
Exit code 0: none of them is tainted; 1: one is. Without models it lists every taint that stands.

Examples:

  lineal tainted both lean

  lineal tainted --json
"""


def tainted(
    models: Annotated[
        list[str] | None,
        typer.Argument(autocompletion=model_names, metavar="MODEL", help="Names, b3: hashes or paths."),
    ] = None,
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what taints models: their own taints, and those of everything that they go back to."""
    from lineal.errors import AnswerIsNo
    from lineal.lineage.database.locate import locate
    from lineal.lineage.registry import Registry

    with Registry.open_existing(locate(registry)) as opened:
        found = _of(opened, models) if models else _standing(opened)
    if as_json:
        print_json(found)
    else:
        say(*map(_line, found))
    if models and found:
        raise AnswerIsNo(f"{len({str(one['model']) for one in found})} of {len(models)} models are tainted")


def _of(registry: "Registry", models: list[str]) -> "list[dict[str, Json]]":
    found: list[dict[str, Json]] = []
    for model in models:
        asked = registry.resolve(model)
        found += [{"model": registry.label(asked), **_written(registry, taint)} for taint in registry.taints_of(asked)]
    return found


def _standing(registry: "Registry") -> "list[dict[str, Json]]":
    from lineal.derivation.hashes import format_hash
    from lineal.lineage.shown.as_json import written_time
    from lineal.lineage.stated import data_taints

    found: list[dict[str, Json]] = [
        {**_written(registry, taint), "reaches": reached} for taint, reached in registry.taints()
    ]
    with registry.reading() as connection:
        standing = data_taints.standing(connection)
    of_data: list[dict[str, Json]] = [
        {
            "tainted": taint.name,
            "hash": format_hash(taint.data),
            "data": taint.name,
            "reason": taint.reason,
            "source": taint.source,
            "created": written_time(taint.created),
            "reaches": taint.reached,
        }
        for taint in standing
    ]
    return [*found, *of_data]


def _written(registry: "Registry", taint: "Taint") -> "dict[str, Json]":
    from lineal.derivation.hashes import format_hash
    from lineal.lineage.shown.as_json import written_time

    return {
        "tainted": registry.label(taint.model),
        "hash": format_hash(taint.model),
        "data": taint.data,
        "reason": taint.reason,
        "source": taint.source,
        "created": written_time(taint.created),
    }


def _line(one: "dict[str, Json]") -> str:
    source = f" ({one['source']})" if one["source"] else ""
    said = f"{one['tainted']}: {one['reason']}{source}, since {one['created']}"
    if "reaches" in one:
        return f"{said}, with {one['reaches']} models made {'on it or from those' if one['data'] else 'from it'}"
    if one["data"]:
        on = f"{one['tainted']}, which was made on {one['data']}: "
        said = said.replace(f"{one['tainted']}: ", on, 1)
    return said if one["model"] == one["tainted"] else f"{one['model']}, made from {said}"
