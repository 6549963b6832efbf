"""The tokens of a merge's child, and for each of its models the rows that make up its matrices in that vocabulary."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from lineal.engines.merge.token_rows import embedding_rows
from lineal.engines.parents.model import Model
from lineal.engines.stream.row_map import ZEROS, Pick, RowMap
from lineal.methods.recipe.vocabulary import TokenRow, Vocabulary
from lineal.shown import quoted


@final
@dataclass(frozen=True)
class ChildVocabulary:
    """ids: token -> id; appended: of those the ones that the tokenizer did not have; rows: of matrices, one an id.

    added: what other tokenizers say of tokens that they find in a text before it is cut into words.
    """

    tokenizer: Model
    ids: Mapping[str, int]
    appended: Mapping[str, int]
    rows: int
    added: tuple[Mapping[str, Any], ...]


def child_vocabulary(vocabulary: Vocabulary, inputs: Sequence[Model]) -> ChildVocabulary:
    """The child's tokens: those of the tokenizer keep their ids, all others follow in the order of inputs and ids.

    Only where there are no `vocabulary_faults`.
    """
    ids = dict(_table(inputs[vocabulary.tokenizer]))
    more = _more(vocabulary, inputs)
    first = max(ids.values(), default=-1) + 1
    appended = {token: first + index for index, token in enumerate(more)}
    filled = -(-(first + len(appended)) // vocabulary.multiple) * vocabulary.multiple
    added = tuple(entry for model in inputs for entry in model.added_tokens) if appended else ()
    return ChildVocabulary(inputs[vocabulary.tokenizer], {**ids, **appended}, appended, filled, added)


def row_maps(vocabulary: Vocabulary, child: ChildVocabulary, inputs: Sequence[Model]) -> list[RowMap]:
    """For each input how its matrices are made in the child's vocabulary."""
    tables = [_table(model) for model in inputs]
    shared: dict[str, list[Pick]] = {}

    def stand_in(token: str) -> list[Pick]:
        rule = vocabulary.tokens.get(token)
        if rule is not None:
            return [_picked(rule, token, tables)]
        if vocabulary.base is not None and token in tables[vocabulary.base]:
            return [(vocabulary.base, tables[vocabulary.base][token])]
        return [(place, table[token]) for place, table in enumerate(tables) if token in table]

    maps: list[RowMap] = []
    for place, table in enumerate(tables):
        picks: list[list[Pick]] = [[] for _ in range(child.rows)]
        for token, index in child.ids.items():
            rule = vocabulary.tokens.get(token)
            if token in table and not (rule and rule.force):
                picks[index] = [(place, table[token])]
            else:
                if token not in shared:
                    shared[token] = stand_in(token)
                picks[index] = shared[token]
        maps.append(RowMap.of(picks))
    return maps


def _picked(rule: TokenRow, token: str, tables: Sequence[Mapping[str, int]]) -> Pick:
    if rule.model is None:
        return ZEROS
    return rule.model, tables[rule.model][rule.token or token] if rule.row is None else rule.row


def vocabulary_faults(vocabulary: Vocabulary, inputs: Sequence[Model]) -> Iterator[str]:
    """What stands against bringing the vocabularies together."""
    rows = {model.checkpoint.path: embedding_rows(model) for model in inputs}
    for model in {model.checkpoint.path: model for model in inputs}.values():
        count = rows[model.checkpoint.path]
        if model.vocabulary is None:
            yield f"{model.name} has no tokenizer.json"
        elif count is None:
            yield f"{model.name} has no embedding whose rows could follow its tokens"
        elif model.vocabulary and max(model.vocabulary.values()) >= count:
            last = _in_order(model.vocabulary)[-1]
            yield f"{model.name} has {count} rows, and {quoted(last)} is id {model.vocabulary[last]}"
    donor = inputs[vocabulary.tokenizer]
    if set(_table(donor).values()) != set(range(len(_table(donor)))) and _more(vocabulary, inputs):
        yield f"the ids of {donor.name} have gaps, or stand for two tokens: what id an added token gets is not certain"
    for token, rule in vocabulary.tokens.items():
        yield from _rule_faults(token, rule, inputs, rows)


def _rule_faults(token: str, rule: TokenRow, inputs: Sequence[Model], rows: Mapping[Path, int | None]) -> Iterator[str]:
    if rule.model is None:
        return
    model = inputs[rule.model]
    count = rows[model.checkpoint.path]
    if rule.row is not None and count is not None and not 0 <= rule.row < count:
        yield f"{quoted(token)} is to have row {rule.row} of {model.name}, which has {count}"
    if rule.row is None and model.vocabulary is not None and (rule.token or token) not in model.vocabulary:
        yield (
            f"{quoted(token)} is to have the row of {quoted(rule.token or token)} in "
            f"{model.name}, which has no such token"
        )


def _more(vocabulary: Vocabulary, inputs: Sequence[Model]) -> Sequence[str]:
    """The tokens of the child that its tokenizer does not have yet, each once."""
    others = [token for model in inputs for token in _in_order(_table(model))] if vocabulary.union else []
    known = _table(inputs[vocabulary.tokenizer])
    return list(dict.fromkeys(token for token in [*others, *vocabulary.tokens] if token not in known))


def _table(model: Model) -> Mapping[str, int]:
    return model.vocabulary or {}


def _in_order(table: Mapping[str, int]) -> Sequence[str]:
    return sorted(table, key=lambda token: table[token])
