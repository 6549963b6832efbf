"""The tensors that have a row a token, and what they are in another vocabulary."""

from collections.abc import Sequence
from dataclasses import replace

from lineal.checkpoint.names.tensor_names import BLOCK, TOKEN_EMBEDDING, has_token_rows
from lineal.engines.parents.model import Model
from lineal.engines.stream.gathered import Gathered
from lineal.engines.stream.row_map import RowMap
from lineal.engines.stream.source import Source
from lineal.errors import CheckpointError
from lineal.shown import quoted


def embedding_rows(model: Model) -> int | None:
    """How many rows the model's embedding has; None where it has none by a known name."""
    found = [source.shape[0] for name, source in model.items() if TOKEN_EMBEDDING.fullmatch(name) and source.shape]
    return found[0] if found else None


def in_vocabulary(inputs: Sequence[Model], maps: Sequence[RowMap]) -> list[Model]:
    """The inputs with their token rows as the maps say; every tensor that has such rows must be known by its name."""
    names = {name for model in inputs for name in _token_tensors(model)}
    found: list[Model] = []
    for model, rows in zip(inputs, maps, strict=True):
        gathered = {name: _gathered(name, model, rows, inputs) for name in names & model.keys()}
        found.append(replace(model, gathered=gathered))
    return found


def _token_tensors(model: Model) -> list[str]:
    rows = embedding_rows(model)
    found: list[str] = []
    for name, source in model.items():
        if has_token_rows(name):
            found.append(name)
        elif not BLOCK.fullmatch(name) and len(source.shape) > 1 and source.shape[0] == rows:
            raise CheckpointError(
                f"{model.name}: {quoted(name)} has as many rows as the embedding, and nothing says whether they belong "
                "to tokens"
            )
    return found


def _gathered(name: str, model: Model, rows: RowMap, inputs: Sequence[Model]) -> Gathered:
    matrices: dict[int, Source] = {}
    own = model.sources[name]
    for place in rows.picked():
        if name not in inputs[place]:
            raise CheckpointError(f"{inputs[place].name} has no {quoted(name)}, whose rows {model.name} would need")
        matrices[place] = inputs[place].sources[name]
        if rows.last_row(place) >= matrices[place].shape[0]:
            least = rows.last_row(place) + 1
            raise CheckpointError(
                f"{inputs[place].name}: {quoted(name)} has {matrices[place].shape[0]} rows, not {least}"
            )
        if matrices[place].shape[1:] != own.shape[1:]:
            ours, theirs = list(own.shape), list(matrices[place].shape)
            raise CheckpointError(f"{quoted(name)} is {ours} in {model.name}, {theirs} in {inputs[place].name}")
    return Gathered(own, rows, matrices)
