"""lineal journal: what names came to mean, and when."""

from typing import TYPE_CHECKING, Annotated

import typer

from lineal.cli.options import JsonOption, LimitOption, RegistryOption
from lineal.cli.terminal import print_json, say

if TYPE_CHECKING:
    from lineal.derivation.canonical import Json
    from lineal.lineage.tables.journal import Entry

EXAMPLES = """
Examples:

  lineal journal                 every change of a name or version, the latest first

  lineal journal both            of one name, with its versions

  lineal journal --limit 10
"""


def journal(
    name: Annotated[str | None, typer.Argument(help="A FAMILY:NAME, or a unique NAME.", show_default=False)] = None,
    limit: LimitOption = None,
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """List every change of a name, a version or a stage; each entry is bound to those before it by a hash."""
    from lineal.derivation.hashes import format_hash
    from lineal.lineage.database.locate import locate
    from lineal.lineage.registry import Registry
    from lineal.lineage.shown.as_json import written_time

    with Registry.open_existing(locate(registry)) as opened:
        entries = opened.journal(name, limit)
    if as_json:
        print_json(
            [
                {
                    "number": entry.number,
                    "created": written_time(entry.created),
                    "hash": format_hash(entry.entry_hash),
                    **entry.change,
                }
                for entry in entries
            ]
        )
        return
    say(*(f"{written_time(entry.created)}  {_said(entry)}" for entry in entries))


def _said(entry: "Entry") -> str:
    change = entry.change
    name, model = str(change.get("name")), str(change.get("model") or change.get("data"))[:11]
    if change.get("change") in ("taint", "clear"):
        what = "is tainted" if change.get("change") == "taint" else "is cleared"
        return f"{model} {what}: {change.get('reason')!s}"
    if change.get("change") == "licence":
        subject, licence = str(change.get("model") or change.get("data"))[:11], str(change.get("licence"))
        because = f", overridden: {change.get('because')!s}" if change.get("because") else ""
        return (
            f"{subject} has no stated licence" if change.get("licence") is None else f"{subject} is {licence}{because}"
        )
    if change.get("change") == "policy":
        return _policy(name, str(change.get("stage")), change.get("policy"))
    if change.get("change") == "unname":
        return f"{name} is not a name any more, was {str(change.get('before'))[:11]}"
    if change.get("change") == "name":
        before = change.get("before")
        return f"{name} is {model}" + (f", was {str(before)[:11]}" if before else "")
    tags = change.get("tags")
    tagged = f", tagged {', '.join(map(str, tags))}" if isinstance(tags, list) and tags else ""
    return f"{name} is {model} in {change.get('stage')!s}{tagged}"


def _policy(name: str, stage: str, rules: "Json") -> str:
    from lineal.lineage.stated.policies import Policy

    if not isinstance(rules, dict):
        return f"{name} has no policy for {stage} any more"
    return f"{name} must meet for {stage}: {Policy.from_json(rules)}"
