"""transformers' own model without weights: its decoder layers, each with what it is called with."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast, final

import numpy as np
import torch
from accelerate import init_empty_weights
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from lineal.checkpoint.layouts.known import layouts_of
from lineal.checkpoint.layouts.storing import StoredTensor, stored_as
from lineal.checkpoint.layouts.table import FUSED
from lineal.checkpoint.names.tensor_names import is_derived_buffer
from lineal.checkpoint.written.layout import Planned
from lineal.engines.calibrate.hidden_states import HiddenStates
from lineal.engines.calibrate.weights_in_memory import into, read_values, rows_into
from lineal.engines.inference.language_model import blamed_on
from lineal.engines.inference.next_token import no_next_token
from lineal.engines.parents.model import Model
from lineal.engines.silence import silence
from lineal.engines.text.documents import Tokens
from lineal.errors import CheckpointError
from lineal.methods.arrays import Float32
from lineal.shown import quoted


@final
@dataclass(frozen=True)
class Call:
    """What a decoder layer is called with beside the hidden states: masks and positions, the same for all samples."""

    given: tuple[Any, ...]
    named: Mapping[str, Any]


@final
class Decoder:
    """The layers of a model, all of whose parameters are on torch's meta device, and where each has its values from."""

    def __init__(self, model: Model) -> None:
        if why := no_next_token(model.config):
            raise CheckpointError(f"{model.name}: {why}")
        self.source = model
        self._whole = _without_weights(model)
        self._decoder = cast(Any, self._whole.get_decoder())
        path, self.layers = _layers(self._whole, model)
        self._path = f"{path}."
        self._stored = _in_memory(model)

    @property
    def width(self) -> int:
        return int(self._whole.config.get_text_config().hidden_size)

    @property
    def positions(self) -> int | None:
        bound = self._whole.config.get_text_config().to_dict().get("max_position_embeddings")
        return bound if isinstance(bound, int) else None

    @property
    def rows(self) -> int:
        """Of the embedding."""
        return cast(Tensor, self._decoder.get_input_embeddings().weight).shape[0]

    def stored(self, index: int, path: str, shape: tuple[int, ...]) -> StoredTensor:
        """The published tensors that make up a parameter of a layer."""
        return self._tensor(f"{self._path}{index}.{path}", shape)

    def embed(self, samples: Tokens, states: HiddenStates) -> tuple[Call, ...]:
        """Write what comes before the first layer; returns what each layer is called with."""
        ids = self._prepared(samples)
        calls: tuple[Call, ...] = ()
        for start in range(len(ids)):
            before, found = self._recorded(ids[start : start + 1])
            states.write(start, before)
            calls = calls or found
        self._forget_embedding()
        return calls

    def calls(self, samples: Tokens) -> tuple[Call, ...]:
        """What each layer is called with."""
        return self._recorded(self._prepared(samples[:1]))[1]

    def _prepared(self, samples: Tokens) -> Tensor:
        """The samples as numbers of the rows of the embedding that they need, which alone are read."""
        chosen, numbered = np.unique(samples, return_inverse=True)
        self._load_embedding(chosen)
        self._load_beside()
        return torch.from_numpy(numbered.reshape(samples.shape))

    @torch.inference_mode()
    def _recorded(self, ids: Tensor) -> tuple[Tensor, tuple[Call, ...]]:
        """Everything of the decoder but its layers is run."""
        recorder = _Recorder(self.layers)
        with recorder:
            recorder.run(self._decoder, ids)
        if len(recorder.calls) != len(self.layers):
            raise CheckpointError(f"{self.source.name}: its blocks are not run one after the other")
        return recorder.states, tuple(recorder.calls)

    def _load_embedding(self, chosen: NDArray[np.int32]) -> None:
        embedding = cast(nn.Embedding, self._decoder.get_input_embeddings())
        name = next(n for n, p in self._whole.named_parameters() if p is embedding.weight)
        stored = self._tensor(name, tuple(embedding.weight.shape))
        if len(stored.parts) != 1 or stored.turn is not None:
            raise CheckpointError(f"{self.source.name}: its embedding {quoted(name)} is not one tensor")
        rows = np.empty((len(chosen), embedding.weight.shape[1]), np.float32)
        taker = rows_into(rows, chosen.astype(np.int64), rows.shape[1])
        _ = read_values(self.source, {stored.parts[0]: taker})
        embedding.padding_idx = None
        embedding.weight = nn.Parameter(torch.from_numpy(rows), requires_grad=False)

    def _forget_embedding(self) -> None:
        """Its rows are needed before the first block alone."""
        embedding = self._decoder.get_input_embeddings()
        embedding.weight = nn.Parameter(embedding.weight.to("meta"), requires_grad=False)

    def _load_beside(self) -> None:
        """What little else of the decoder is no layer, such as norms of embeddings."""
        inside = {id(parameter) for parameter in self.layers.parameters()}
        for name, parameter in list(self._whole.named_parameters()):
            if parameter.is_meta and id(parameter) not in inside and parameter.ndim < 2:
                stored = self._tensor(name, tuple(parameter.shape))
                put(self._whole, name, torch.from_numpy(_values(self.source, stored)))

    def _tensor(self, name: str, shape: tuple[int, ...]) -> StoredTensor:
        found = self._stored.get(name)
        if found is None:
            raise CheckpointError(f"{self.source.name}: has no {quoted(name)}, which its architecture needs")
        if found.shape != shape:
            raise CheckpointError(
                f"{self.source.name}: {quoted(name)} is {list(found.shape)}, its configuration says {list(shape)}"
            )
        return found


def put(module: nn.Module, path: str, values: Tensor) -> None:
    """Set a parameter or a buffer."""
    owner, _, name = path.rpartition(".")
    held = module.get_submodule(owner)
    is_parameter = isinstance(getattr(held, name), nn.Parameter)
    setattr(held, name, nn.Parameter(values, requires_grad=False) if is_parameter else values)


def _values(model: Model, stored: StoredTensor) -> Float32:
    values = np.empty(stored.shape, np.float32)
    if len(stored.parts) != 1 or stored.turn is not None:
        raise CheckpointError(f"{model.name}: {quoted(stored.name)} is not one tensor")
    _ = read_values(model, {stored.parts[0]: into(values.reshape(-1))})
    return values


def _without_weights(model: Model) -> PreTrainedModel:
    """Buffers are computed as ever: frequencies of positions, scales of embeddings."""
    with silence(), blamed_on(model.checkpoint.path), init_empty_weights(include_buffers=False):
        config = AutoConfig.for_model(**{str(key): value for key, value in model.config.items()})
        return cast(Any, AutoModelForCausalLM).from_config(config, dtype=torch.float32).eval()


def _layers(whole: PreTrainedModel, model: Model) -> tuple[str, nn.ModuleList]:
    """The one list of modules that is as long as the model is deep."""
    depth = whole.config.get_text_config().num_hidden_layers
    lists = [
        (path, module)
        for path, module in whole.named_modules()
        if isinstance(module, nn.ModuleList) and len(module) == depth and ".layers." not in f".{path}"
    ]
    if len(lists) != 1:
        kind = quoted(str(model.config.get("model_type")))
        raise CheckpointError(f"{model.name}: the blocks of a model of the architecture {kind} are not known")
    return lists[0]


def _in_memory(model: Model) -> dict[str, StoredTensor]:
    """The model's tensors as transformers holds them, each made of published ones."""
    layouts = [layout for layout in layouts_of(model.config) or () if layout.name == FUSED]
    published = [
        Planned(name, "F32", source.shape)
        for name, source in model.items()
        if not is_derived_buffer(name, source.shape)
    ]
    return {one.name: one for one in stored_as(published, layouts, model.config, model.name)}


class _Enough(Exception):
    """All layers were called."""


@final
class _Recorder:
    """In place of the layers' own work: keeps what they are called with and hands the hidden states on."""

    def __init__(self, layers: nn.ModuleList) -> None:
        self._layers = layers
        self.calls: list[Call] = []
        self.states = torch.empty(0)

    def run(self, decoder: nn.Module, ids: Tensor) -> None:
        with suppress(_Enough):
            decoder(input_ids=ids, use_cache=False)

    def __enter__(self) -> None:
        for layer in self._layers:
            layer.forward = self._called

    def __exit__(self, *_: object) -> None:
        for layer in self._layers:
            del layer.forward  # the class's own comes to light again

    def _called(self, states: Tensor, *given: Any, **named: Any) -> Tensor:
        self.states = states
        self.calls.append(Call(given, named))
        if len(self.calls) == len(self._layers):
            raise _Enough
        return states
