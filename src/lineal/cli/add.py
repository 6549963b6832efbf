"""lineal add: make models on disk known."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lineal.cli.options import JsonOption, RegistryOption, ThreadsOption, TrustedKeysOption
from lineal.cli.terminal import print_json, say

if TYPE_CHECKING:
    from lineal.family.origin.add import Added

EXAMPLES = """
Examples:

  lineal add ./llama                        an original, known by its content from now on

  lineal add ./both --name mine:both        with its history, where it has a lineal.json

  lineal add ./both --key theirs.pub        only if this key has signed it; its step is then of the grade signed
"""


def add(
    folders: Annotated[list[Path], typer.Argument(help="Model folders.")],
    name: Annotated[str | None, typer.Option("--name", help="NAME or FAMILY:NAME; for one folder.")] = None,
    move: Annotated[bool, typer.Option("--move", help="Let the name stand for this one, if it has another.")] = False,
    keys: TrustedKeysOption = None,
    threads: ThreadsOption = None,
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Hash model folders and remember them; a lineal.json beside the weights brings its step along."""
    from lineal.cli.session import open_session
    from lineal.derivation.hashes import format_hash
    from lineal.errors import UsageError
    from lineal.family.origin.add import add_folder
    from lineal.lineage.signing.keys import read_public_keys

    if name is not None and len(folders) > 1:
        raise UsageError(f"one name cannot stand for {len(folders)} folders")
    trusted = read_public_keys(keys or ())
    with open_session(registry, threads) as session:
        added = [add_folder(session, folder, name, trusted, move=move) for folder in folders]
    if as_json:
        print_json([_json(known) for known in added])
        return
    for known in added:
        say(f"{known.name}  {format_hash(known.model_hash)}  {known.history}{_layout(known)}")


def _json(known: "Added") -> dict[str, object]:
    from lineal.derivation.hashes import format_hash

    return {
        "folder": str(known.folder),
        "name": str(known.name),
        "model_hash": format_hash(known.model_hash),
        "layout_hash": None if known.layout_hash is None else format_hash(known.layout_hash),
        "in_another_layout": [format_hash(digest) for digest in known.alike],
    }


def _layout(known: "Added") -> str:
    from lineal.derivation.hashes import format_hash
    from lineal.lineage.questions.layouts import ANOTHER_LAYOUT

    if known.layout_hash is None:
        return ""
    alike = f" ({ANOTHER_LAYOUT}: {', '.join(known.alike.values())})" if known.alike else ""
    return f"; layout hash {format_hash(known.layout_hash)}{alike}"
