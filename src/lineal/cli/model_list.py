"""Lists of models, as lines or as JSON."""

from collections.abc import Callable, Iterable

from lineal.cli.terminal import print_json, say
from lineal.derivation.hashes import format_hash
from lineal.lineage.database.locate import locate
from lineal.lineage.questions.listing import listing
from lineal.lineage.registry import Registry
from lineal.shown import printable

_SHORT = 15
"""Letters of a hash, `b3:` included, that stand in a line."""


def answer(registry: str | None, ask: Callable[[Registry], tuple[bytes, ...]], *, as_json: bool) -> tuple[bytes, ...]:
    """Ask the registry that is meant for models, and print them; they themselves."""
    with Registry.open_existing(locate(registry)) as opened:
        found = ask(opened)
        print_models(opened, found, as_json=as_json)
    return found


def print_models(registry: Registry, hashes: Iterable[bytes], *, as_json: bool) -> None:
    """A model a line: what it is called, its hash, what made it; nothing where there are none."""
    listed = listing(registry, hashes)
    if as_json:
        print_json(
            [
                {
                    "model": format_hash(one.model.model_hash),
                    "label": one.label,
                    "made_by": one.made_by,
                    "evidence": one.evidence.value if one.evidence else None,
                    "unresolved": one.model.is_unresolved,
                }
                for one in listed
            ]
        )
        return
    width = max((len(one.label) for one in listed), default=0)
    for one in listed:
        said = "never added here" if one.model.is_unresolved else one.made_by
        line = f"{printable(one.label):{width}}  {format_hash(one.model.model_hash)[:_SHORT]}  {said}"
        say(line.rstrip())
