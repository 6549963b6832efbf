"""`tokenizer_source` or `tokenizer` of a recipe -> the tokens of the child; `chat_template` -> its template."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

from lineal.errors import UsageError
from lineal.family.file.located_yaml import Faults, KeyPath
from lineal.family.file.mergekit.chat_templates import chat_template
from lineal.family.file.mergekit.inputs import InputList
from lineal.family.file.mergekit.references import Named, References
from lineal.methods.recipe.vocabulary import TokenRow, Vocabulary
from lineal.shown import quoted

Body = Mapping[str, Any]

KEYS = ("tokenizer_source", "tokenizer", "chat_template")
_TOKENIZER_KEYS = ("source", "tokens", "pad_to_multiple_of")
_TOKEN_KEYS = ("source", "force")
_SOURCE_KEYS = ("kind", "model", "token", "token_id")
_UNION, _BASE = "union", "base"


@final
@dataclass(frozen=True)
class VocabularyReader:
    """base: of the recipe; inputs: what its parts have named, to which models are added that give tokens alone."""

    faults: Faults
    references: References
    inputs: InputList
    base: Named | None

    def read(self, body: Body, keys: KeyPath) -> Vocabulary | None:
        """What the recipe says; None where it says nothing, or after a fault."""
        if body.get("tokenizer") is None and body.get("tokenizer_source") is None:
            return None
        if body.get("tokenizer") is not None and body.get("tokenizer_source") is not None:
            self.faults.add((*keys, "tokenizer_source"), "either tokenizer or tokenizer_source, not both")
            return None
        if body.get("tokenizer") is None:
            return self._vocabulary(body["tokenizer_source"], (*keys, "tokenizer_source"), {}, 1)
        at = (*keys, "tokenizer")
        tokenizer = self.faults.mapping(body["tokenizer"], at, "tokenizer")
        self.faults.unknown_keys(tokenizer, at, _TOKENIZER_KEYS)
        tokens = self._tokens(tokenizer.get("tokens"), (*at, "tokens"))
        multiple = self.faults.attempt((*at, "pad_to_multiple_of"), lambda: _multiple(tokenizer))
        return self._vocabulary(tokenizer.get("source", _UNION), (*at, "source"), tokens, multiple or 1)

    def chat_template(self, body: Body, keys: KeyPath) -> str | None:
        """`auto`, or a Jinja template."""
        written = body.get("chat_template")
        if written is None:
            return None
        return self.faults.attempt((*keys, "chat_template"), lambda: chat_template(written))

    def _vocabulary(
        self, source: Any, keys: KeyPath, tokens: Mapping[str, TokenRow], multiple: int
    ) -> Vocabulary | None:
        base = None if self.base is None else self.inputs.index_of(self.base)
        tokenizer = base or 0  # the first model named is what the child has its config from, too
        if source not in (_UNION, _BASE):
            named = self.references.read(source, keys)
            if named is None:
                return None
            tokenizer = self.inputs.index_of(named)
        return Vocabulary(tokenizer=tokenizer, union=source == _UNION, base=base, tokens=tokens, multiple=multiple)

    def _tokens(self, written: Any, keys: KeyPath) -> dict[str, TokenRow]:
        found: dict[str, TokenRow] = {}
        if written is None:
            return found
        for token, entry in self.faults.mapping(written, keys, "tokens").items():
            at = (*keys, token)
            body = self.faults.mapping(entry, at, f"the token {quoted(token)}")
            self.faults.unknown_keys(body, at, _TOKEN_KEYS)
            row = self._row(body, at) if body == entry else None
            if row is not None:
                found[token] = row
        return found

    def _row(self, body: Body, keys: KeyPath) -> TokenRow | None:
        force, source = body.get("force", False), body.get("source")
        if not isinstance(force, bool):
            self.faults.add((*keys, "force"), f"force is true or false, got {quoted(force)}")
            return None
        if source is None:
            self.faults.add(keys, "a source is needed: a model, or {kind: zero} or {kind: model_token, ...}")
            return None
        where = (*keys, "source")
        if not isinstance(source, Mapping) or "kind" not in source:
            return self._of_model(source, where, force=force)
        parts = self.faults.mapping(source, where, "a source")
        self.faults.unknown_keys(parts, where, _SOURCE_KEYS)
        match parts["kind"]:
            case "zero":
                return TokenRow(force=force)
            case "model_token":
                return self._of_model(parts.get("model"), where, parts.get("token"), parts.get("token_id"), force=force)
            case kind:
                self.faults.add(where, f"unknown kind {quoted(kind)} (known: zero, model_token)")
                return None

    def _of_model(
        self, written: Any, keys: KeyPath, token: Any = None, row: Any = None, *, force: bool
    ) -> TokenRow | None:
        named = self.base if written == _BASE else self.references.read(written, keys)
        if named is None:
            if written == _BASE:
                self.faults.add(keys, "there is no base_model")
            return None
        model = self.inputs.index_of(named)
        return self.faults.attempt(keys, lambda: _token_row(model, token, row, force=force))


def _token_row(model: int, token: Any, row: Any, *, force: bool) -> TokenRow:
    if token is not None and not isinstance(token, str):
        raise UsageError(f"a token is a text, got {quoted(token)}")
    if row is not None and (type(row) is not int or row < 0):
        raise UsageError(f"token_id is a whole number from 0, got {quoted(row)}")
    return TokenRow(model=model, token=token, row=row, force=force)


def _multiple(tokenizer: Body) -> int:
    written = tokenizer.get("pad_to_multiple_of")
    if written is not None and (type(written) is not int or written < 1):
        raise UsageError(f"pad_to_multiple_of is a whole number from 1, got {quoted(written)}")
    return written or 1
