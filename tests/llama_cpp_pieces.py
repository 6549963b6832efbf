"""How llama.cpp cuts a text by a GGUF's scores, written down anew from what llm_tokenizer_spm does."""

import heapq
from collections.abc import Mapping, Sequence
from typing import Any

NORMAL, UNKNOWN, CONTROL, USER_DEFINED = 1, 2, 3, 4


def ids_of(fields: Mapping[str, Any], text: str) -> list[int]:
    """The ids of a text, with what is put around it; fields: the keys of the GGUF."""
    tokens: Sequence[str] = fields["tokenizer.ggml.tokens"]
    first = [fields["tokenizer.ggml.bos_token_id"]] if fields["tokenizer.ggml.add_bos_token"] else []
    last = [fields["tokenizer.ggml.eos_token_id"]] if fields["tokenizer.ggml.add_eos_token"] else []
    index = {token: i for i, token in enumerate(tokens)}
    found, behind_special = list[int](), True
    for part in _cut_out(fields, text):
        if isinstance(part, int):
            found.append(part)
        else:
            prefix = " " if behind_special and fields["tokenizer.ggml.add_space_prefix"] else ""
            found += _merged((prefix + part).replace(" ", "▁"), index, fields["tokenizer.ggml.scores"])
        behind_special = isinstance(part, int)
    return [*first, *found, *last]


def _cut_out(fields: Mapping[str, Any], text: str) -> list[int | str]:
    """Special tokens first, those with most bytes before others, each wherever it stands."""
    kinds, tokens = fields["tokenizer.ggml.token_type"], fields["tokenizer.ggml.tokens"]
    special = [i for i, kind in enumerate(kinds) if kind in (UNKNOWN, CONTROL, USER_DEFINED)]
    strips = any(name in fields.get("general.name", "").lower() for name in ("phi-3", "phi3"))
    parts: list[int | str] = [text] if text else []
    for i in sorted(special, key=lambda i: len(tokens[i].encode()), reverse=True):
        cut: list[int | str] = []
        for part in parts:
            pieces = [part] if isinstance(part, int) else part.split(tokens[i])
            for nth, piece in enumerate(pieces):
                rest = piece
                if nth > 0:
                    cut.append(i)
                    if strips and tokens[i] not in ("<unk>", "<s>", "<|endoftext|>"):
                        rest = str(piece).lstrip(" \t\n\v\f\r")
                if rest != "":
                    cut.append(rest)
        parts = cut
    return parts


def _merged(text: str, index: Mapping[str, int], scores: Sequence[float]) -> list[int]:
    symbols: list[str] = list(text)
    before, after = [*range(-1, len(text) - 1)], [*range(1, len(text)), -1]
    queue: list[tuple[float, int, int, int]] = []

    def offer(left: int, right: int) -> None:
        if left >= 0 and right >= 0 and symbols[left] + symbols[right] in index:
            joint = symbols[left] + symbols[right]
            heapq.heappush(queue, (-scores[index[joint]], left, right, len(joint.encode())))

    for left in range(len(text) - 1):
        offer(left, left + 1)
    while queue:
        _, left, right, size = heapq.heappop(queue)
        if not symbols[left] or not symbols[right] or len((symbols[left] + symbols[right]).encode()) != size:
            continue
        symbols[left], symbols[right] = symbols[left] + symbols[right], ""
        after[left] = after[right]
        if after[right] >= 0:
            before[after[right]] = left
        offer(before[left], left)
        offer(left, after[left])
    found: list[int] = []
    for symbol in filter(None, symbols):
        known = index.get(symbol)
        found += [known] if known is not None else [index[f"<0x{byte:02X}>"] for byte in symbol.encode()]
    return found
