"""lineal list: the models that have a name here."""

from typing import TYPE_CHECKING, Annotated

import typer

from lineal.cli.columns import columns
from lineal.cli.options import JsonOption, RegistryOption
from lineal.cli.terminal import print_json, say

if TYPE_CHECKING:
    from lineal.lineage.questions.listing import Entry

EXAMPLES = """
Examples:

  lineal list                    every name, what it stands for, how large that is and where it lies

  lineal list --family demo      those of one family
"""


def list_(
    family: Annotated[
        str | None, typer.Option("--family", metavar="NAME", help="Only the models of this family.")
    ] = None,
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the models that have a name: their sizes and the places where they lie."""
    from lineal.lineage.database.locate import locate
    from lineal.lineage.questions.listing import entries
    from lineal.lineage.registry import Registry

    with Registry.open_existing(locate(registry)) as opened:
        found = entries(opened, family)
    if as_json:
        print_json([_json(entry) for entry in found])
        return
    say(*columns([_row(entry) for entry in found]))


def _row(entry: "Entry") -> tuple[str, str, str, str]:
    from lineal.derivation.hashes import format_hash
    from lineal.lineage.records.wording import size

    large = "" if entry.model.tensor_bytes is None else size(entry.model.tensor_bytes)
    place = str(entry.places[0]) if entry.places else "lies nowhere"
    gone = "" if not entry.places or entry.places[0].exists() else " (not there any more)"
    more = f" and {len(entry.places) - 1} more" if len(entry.places) > 1 else ""
    return str(entry.name), format_hash(entry.model.model_hash)[:11], large, place + gone + more


def _json(entry: "Entry") -> dict[str, object]:
    from lineal.derivation.hashes import format_hash

    return {
        "name": str(entry.name),
        "model": format_hash(entry.model.model_hash),
        "form": entry.model.form,
        "parameters": entry.model.parameters,
        "bytes": entry.model.tensor_bytes,
        "locations": [str(place) for place in entry.places],
    }
