"""Which tokens the child of a merge has, and whose rows stand in for those that a model lacks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, final

from pydantic import ConfigDict

from lineal.errors import MethodError


@final
@dataclass(frozen=True, kw_only=True)
class TokenRow:
    """What a token's row is in models that lack it; with `force` in all of them.

    model: whose row it is, by its place among the inputs; None for a row of zeros. token: of that model, None for the
    same one; row: instead of a token, a row of its matrices by number.
    """

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid")

    model: int | None = None
    token: str | None = None
    row: int | None = None
    force: bool = False

    def __post_init__(self) -> None:
        if self.model is None and (self.token is not None or self.row is not None):
            raise MethodError("a token or a row is one of a model, and none is named")
        if self.token is not None and self.row is not None:
            raise MethodError("the row of a token, or a row by its number: one of them")


def _rows() -> dict[str, TokenRow]:
    return {}


@final
@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """The tokens of a merge's child.

    tokenizer: the model, by its place among the inputs, whose tokenizer the child has; union: with the tokens of all
    other inputs behind them. base: whose row a model gets for a token that it lacks; where there is no base, or the
    base lacks it, too, the mean of the rows of all that have it. tokens: what holds for single tokens, which the child
    has in any case. multiple: what the number of rows is filled up to a multiple of; the rows behind the tokens are the
    mean of all others.
    """

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid")

    tokenizer: int
    union: bool = False
    base: int | None = None
    tokens: Mapping[str, TokenRow] = field(default_factory=_rows)
    multiple: int = 1

    @property
    def places(self) -> set[int]:
        """Of all inputs that it names."""
        rules = {rule.model for rule in self.tokens.values() if rule.model is not None}
        return {self.tokenizer, *rules, *([] if self.base is None else [self.base])}

    def __post_init__(self) -> None:
        if self.multiple < 1:
            raise MethodError(f"rows are filled up to a multiple of a whole number from 1, got {self.multiple}")
