"""Texts as the tokens that a model reads: what the tokenizer itself puts around a text stands there once."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, cast, final

import numpy as np
from transformers import PreTrainedTokenizerBase

from lineal.engines.silence import silence
from lineal.engines.text.documents import Tokens

Remark: TypeAlias = Callable[[str], None]
"""Takes one line for whoever waits for the work."""

_AT_ONCE = 256
_PROBE = "a"


@final
class Encoder:
    """A tokenizer with what it puts around a text by itself: `before`, such as <s>, and `after`, such as </s>.

    A text that holds them already, as one that a chat template rendered does, gets no second ones.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, remark: Remark | None = None) -> None:
        self._tokenizer, self._remark = tokenizer, remark
        self.before, self.after = _around(self._ids([_PROBE])[0], self._bare(_PROBE))

    def documents(self, texts: Sequence[str]) -> list[Tokens]:
        """Token ids of each text, with the special tokens that the tokenizer itself puts around it."""
        encoded: list[Tokens] = []
        doubled = 0
        for start in range(0, len(texts), _AT_ONCE):
            some = texts[start : start + _AT_ONCE]
            for text, ids in zip(some, self._ids(some), strict=True):
                once = self._once(text, ids)
                doubled += len(once) < len(ids)
                encoded.append(np.array(once, np.int32))
        if doubled:
            self._say(f"{doubled:,} of {len(texts):,} texts hold {self._written()} already; no second is added")
        return encoded

    def prompt(self, text: str) -> list[int]:
        """Token ids of a text that is to be continued: nothing is put behind it."""
        (ids,) = self._ids([text])
        once = self._once(text, ids)
        if len(once) < len(ids):
            self._say(f"the prompt holds {self._written()} already; no second is added")
        if _ends(once, self.after) and not _ends(self._bare(text), self.after):
            self._say(f"the tokenizer's {self._decoded(self.after)} behind the prompt is left out")
            return once[: -len(self.after)]
        return once

    def _once(self, text: str, ids: list[int]) -> list[int]:
        """The ids without what the tokenizer puts around a text that holds it already."""
        before, after = self.before, self.after
        if not (_begins(ids, before * 2) or _ends(ids, after * 2)):
            return ids
        bare = self._bare(text)
        return [*(() if _begins(bare, before) else before), *bare, *(() if _ends(bare, after) else after)]

    def _bare(self, text: str) -> list[int]:
        return self._ids([text], add_special_tokens=False)[0]

    def _ids(self, texts: Sequence[str], *, add_special_tokens: bool = True) -> list[list[int]]:
        with silence():  # it warns of texts that are longer than the model's context; they are cut later
            encoded = cast(Any, self._tokenizer)(
                list(texts), return_attention_mask=False, add_special_tokens=add_special_tokens
            )
        return cast(list[list[int]], encoded["input_ids"])

    def _written(self) -> str:
        return " or ".join(self._decoded(tokens) for tokens in (self.before, self.after) if tokens)

    def _decoded(self, tokens: list[int]) -> str:
        return cast(str, self._tokenizer.decode(tokens))

    def _say(self, line: str) -> None:
        if self._remark is not None:
            self._remark(line)


def _around(whole: list[int], bare: list[int]) -> tuple[list[int], list[int]]:
    """What stands before and behind the bare tokens of the same text."""
    for start in range(len(whole) - len(bare) + 1):
        if whole[start : start + len(bare)] == bare:
            return whole[:start], whole[start + len(bare) :]
    return [], []


def _begins(ids: list[int], head: list[int]) -> bool:
    return bool(head) and ids[: len(head)] == head


def _ends(ids: list[int], tail: list[int]) -> bool:
    return bool(tail) and ids[-len(tail) :] == tail
