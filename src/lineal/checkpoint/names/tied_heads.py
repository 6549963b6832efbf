"""Whether a model's output head is its input embedding: what the config says, and what the stored matrices say."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, cast, final

from lineal.checkpoint.headers.safetensors import TensorSpec
from lineal.checkpoint.names.tensor_names import BLOCK
from lineal.checkpoint.names.tied_by_default import TIED_BY_DEFAULT
from lineal.checkpoint.reader import Checkpoint, read_exactly

KEY = "tie_word_embeddings"

_HEAD = re.compile(
    r"(?:.+\.)?(?:lm_head(?:\.decoder|\.out_proj)?|(?:cls\.)?predictions\.decoder|embed_out|generator_lm_head|lm_loss"
    r"|output_projection|vocab_projector|pred_layer\.proj|proj_out)\.weight"
    r"|(?:(?:head\.)?decoder|head|output)\.weight"
)
_EMBEDDING = re.compile(
    r"(?:.+\.)?(?:embed_tokens|wte|word_embeddings?|tok_embeddings|tokens_embed|embed_in|embeddings|shared|w)\.weight"
)
_RULES_1 = "lm_head.weight"
"""The head that steps of rules 1 left out wherever the config had the key and said tied."""

_WINDOW = 1 << 20


def says_tied(config: Mapping[str, Any]) -> bool:
    """What the config says; where it is silent its architecture's default counts.

    A `text_config` is not asked: of the types that have one, half pass on what it says and half do not. What counts as
    untied keeps its head as it is stored, which transformers reads rightly in either case.
    """
    said = config.get(KEY)
    return config.get("model_type") in TIED_BY_DEFAULT if said is None else bool(said)


def untied(config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of the same model with a head of its own."""
    inner = config.get("text_config")
    nested = {"text_config": {**cast(dict[str, Any], inner), KEY: False}} if isinstance(inner, dict) else {}
    return {**config, **nested, KEY: False}


def embeddings(names: Iterable[str]) -> list[str]:
    """The names of matrices that have a row for each token read."""
    return [name for name in names if _EMBEDDING.fullmatch(name) and not BLOCK.fullmatch(name)]


def heads(names: Iterable[str]) -> list[str]:
    """The output heads that stand beside an embedding; where there is none a head is the embedding, too."""
    found = list(names)
    return [name for name in found if _HEAD.fullmatch(name) and not BLOCK.fullmatch(name)] if embeddings(found) else []


def is_copy(checkpoint: Checkpoint, head: str) -> bool:
    """Whether a stored head holds the bytes of a stored embedding; reads both up to the first difference."""
    spec = checkpoint[head]
    candidates = (checkpoint[name] for name in embeddings(checkpoint))
    return any(
        (one.dtype, one.shape) == (spec.dtype, spec.shape) and _equal(spec, one, _state(spec), _state(one))
        for one in candidates
    )


@final
@dataclass(frozen=True)
class StoredHeads:
    """What of a model's stored heads is left out: they hold an embedding's bytes, and the config says so.

    own: those that it has beside its embedding, whatever the config says; known: False where only headers are here;
    rules: 2 where rules 1 left out other ones, or left a config that says tied beside one.
    """

    copies: frozenset[str]
    own: frozenset[str]
    known: bool
    rules: int


def stored_heads(checkpoint: Checkpoint, codes: Collection[str]) -> StoredHeads:
    """Look at the stored bytes where both matrices are there and the config ties them; codes: weights stored as such,
    which are no copies."""
    found, tied = heads(dict.fromkeys([*checkpoint, *codes])), says_tied(checkpoint.config)
    known = not (checkpoint.headers_only and tied and found)
    copies = frozenset(h for h in found if tied and (not known or (h not in codes and is_copy(checkpoint, h))))
    own = frozenset(found) - copies
    before = frozenset({_RULES_1}) & checkpoint.keys() if checkpoint.config.get(KEY) else frozenset[str]()
    return StoredHeads(copies, own, known, 1 if copies == before and not (own and tied) else 2)


def _state(spec: TensorSpec) -> tuple[int, int]:
    stat = spec.path.stat()
    return stat.st_mtime_ns, stat.st_size


@cache
def _equal(first: TensorSpec, second: TensorSpec, *_: tuple[int, int]) -> bool:
    """Remembered while the files are as they were: a plan and its run ask the same."""
    windows = [memoryview(bytearray(min(_WINDOW, first.byte_length))) for _ in range(2)]
    with first.path.open("rb") as ours, second.path.open("rb") as theirs:
        for start in range(0, first.byte_length, _WINDOW):
            count = min(_WINDOW, first.byte_length - start)
            for file, spec, window in ((ours, first, windows[0]), (theirs, second, windows[1])):
                read_exactly(file.fileno(), window[:count], spec.offset + start, spec.path)
            if windows[0][:count] != windows[1][:count]:
                return False
    return True
