"""lineal import: what recipes, adapter configs and cards claim of models' origins."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lineal.cli.options import JsonOption, RegistryOption, ThreadsOption
from lineal.cli.terminal import print_json, remark, say

if TYPE_CHECKING:
    from lineal.family.origin.claims.importing import Imported
    from lineal.lineage.registry import Registry

EXAMPLES = """
Exit code 0: every model's files claim something, which is kept; 1: those of one claim nothing.

Examples:

  lineal import ./merged          its mergekit_config.yml, and what its card says of data and licence

  lineal import ./hub/*           many at once; parents that are not known here are kept as unresolved
"""


def import_(
    places: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Model folders or GGUFs.")],
    threads: ThreadsOption = None,
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Keep what the files beside models claim of their origin, as claimed steps: said by someone, checked by no one.

    Read are mergekit_config.yml, adapter_config.json and the front matter of README.md.
    """
    from lineal.cli.session import open_session
    from lineal.errors import AnswerIsNo
    from lineal.family.origin.claims.importing import import_place

    nothing: list[str] = []
    with open_session(registry, threads) as session:
        found: list[Imported] = []
        for place in places:
            try:
                found.append(import_place(session, place))
            except AnswerIsNo as none:
                nothing.append(str(none))
        lines = [_line(session.registry, one) for one in found]
    for one in found:
        for said in one.remarks:
            remark(f"{one.place}: {said}")
    if as_json:
        print_json([_json(one) for one in found])
    else:
        say(*lines)
    if nothing:
        raise AnswerIsNo(*nothing)


def _line(registry: "Registry", one: "Imported") -> str:
    parents = ", ".join(
        registry.label(parent.model) if parent.resolved else f"{parent.reference} (unresolved)"
        for parent in one.parents
    )
    again = " (parents that were unresolved are known now)" if one.replaced else ""
    return f"{registry.label(one.model)}  {one.claim.kind} of {parents}, as {one.claim.file.name} says{again}"


def _json(one: "Imported") -> dict[str, object]:
    from lineal.derivation.hashes import format_hash

    return {
        "place": str(one.place),
        "model": format_hash(one.model),
        "file": one.claim.file.name,
        "type": one.claim.kind,
        "method": one.claim.method,
        "options": dict(one.claim.options),
        "parents": [
            {"reference": p.reference, "model": format_hash(p.model), "resolved": p.resolved} for p in one.parents
        ],
        "replaced": one.replaced,
        "remarks": list(one.remarks),
    }
