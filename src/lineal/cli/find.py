"""lineal find: what the registry knows of a folder of unknown origin."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lineal.cli.options import JsonOption, RegistryOption, ThreadsOption

if TYPE_CHECKING:
    from lineal.lineage.search import Match

EXAMPLES = """
Exit code 0: it is known, or shares tensors with what is; 1: nothing here has a tensor of it.

Examples:

  lineal find ./downloaded          is this a model that is known, or one like it?
"""


def find(
    folder: Annotated[Path, typer.Argument(help="A model folder or a GGUF.")],
    threads: ThreadsOption = None,
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Hash a model on disk and list the known models that it is, or that share tensors with it, byte for byte."""
    from lineal.cli.terminal import print_json
    from lineal.cli.workshop import open_workshop
    from lineal.derivation.hashes import format_hash
    from lineal.errors import AnswerIsNo
    from lineal.lineage.search import matches

    with open_workshop(registry, threads, must_exist=True) as workshop:
        manifest = workshop.identify(workshop.place(str(folder), folder)).manifest
        found = matches(workshop.registry, manifest)
        labels = {match.model_hash: workshop.registry.label(match.model_hash) for match in found}
    if as_json:
        print_json(
            {
                "model": format_hash(manifest.model_hash),
                "tensors": len(manifest.leaves),
                "matches": [
                    {
                        "model": format_hash(match.model_hash),
                        "label": labels[match.model_hash],
                        "same_model": match.same_model,
                        "same_weights": match.same_weights,
                        "shared_tensors": match.shared_tensors,
                        "shared_bytes": match.shared_bytes,
                    }
                    for match in found
                ],
            }
        )
    else:
        for match in found:
            print(f"{labels[match.model_hash]}  {_said(match, len(manifest.leaves))}")
    if not found:
        raise AnswerIsNo(f"no known model has a tensor of {folder}")


def _said(match: "Match", tensors: int) -> str:
    from lineal.lineage.wording import size

    if match.same_model:
        return "this very model"
    if match.same_weights:
        return "the same weights, with another config or tokenizer"
    return f"{match.shared_tensors} of {tensors} tensors, {size(match.shared_bytes)}"
