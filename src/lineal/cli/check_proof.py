"""lineal check-proof: whether a proof holds, and of what."""

from pathlib import Path
from typing import Annotated

import typer

from lineal.cli.terminal import say
from lineal.shown import quoted

EXAMPLES = """
Exit code 0: the proof holds; 1: it does not.

Examples:

  lineal check-proof norm.proof.json

  lineal check-proof norm.proof.json --model b3:20bdd159...    it must be of this model

  lineal check-proof norm.proof.json --bytes ./both            and the tensor there must be this one
"""


def check_proof(
    proof: Annotated[Path, typer.Argument(help="What lineal prove printed.")],
    model: Annotated[str | None, typer.Option("--model", metavar="B3", help="The whole hash it must lead to.")] = None,
    place: Annotated[Path | None, typer.Option("--bytes", help="A model whose tensor is hashed and compared.")] = None,
) -> None:
    """Add a proof up and say which tensor of which model it proves; neither registry nor model is needed."""
    from lineal.derivation.hashes import format_hash, parse_hash
    from lineal.errors import AnswerIsNo, CheckpointError
    from lineal.lineage.records.proof_json import read_proof

    found, stated = read_proof(proof)
    try:
        leads_to = found.model_hash
    except CheckpointError as error:
        raise AnswerIsNo(f"{proof}: {error}") from None
    if leads_to != stated:
        raise AnswerIsNo(f"{proof}: adds up to {format_hash(leads_to)}, and says {format_hash(stated)}")
    if model is not None and parse_hash(model) != stated:
        raise AnswerIsNo(f"{proof}: is of {format_hash(stated)}")
    if place is not None and _data_hash(place, found.leaf.name) != found.leaf.data_hash:
        raise AnswerIsNo(f"{proof}: {place} holds other bytes as {quoted(found.leaf.name)}")
    leaf = found.leaf
    say(f"{leaf.name} {leaf.dtype} {list(leaf.shape)} {format_hash(leaf.data_hash)}")
    say(f"is tensor {found.index + 1} of {found.leaves} of {format_hash(stated)}")


def _data_hash(place: Path, tensor: str) -> bytes:
    from lineal.checkpoint.content.hashing import hash_tensors
    from lineal.checkpoint.reader import open_checkpoint
    from lineal.errors import CheckpointError

    checkpoint = open_checkpoint(place)
    if tensor not in checkpoint:
        raise CheckpointError(f"{place}: has no tensor {quoted(tensor)}")
    return hash_tensors([checkpoint[tensor]])[tensor]
