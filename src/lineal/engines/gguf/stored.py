"""The tensors of a GGUF: what each is of a model's, by a row of the table of architectures."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

from gguf import MODEL_ARCH, MODEL_ARCH_NAMES, get_tensor_name_map

from lineal.engines.gguf.dimensions import Dimensions
from lineal.engines.gguf.row import ALWAYS, EMBEDDING, HEAD, NORM, Architecture, Tensor

_ARCHITECTURES = {name: architecture for architecture, name in MODEL_ARCH_NAMES.items()}


@final
@dataclass(frozen=True, kw_only=True)
class Stored:
    """A tensor of a GGUF.

    name, shape: there; published: transformers' names of what it holds, one after the other; part: the shape of each;
    paired: rows of a head, of a tensor that has the rows that rotary embeddings pair side by side; raised: what is
    added to its values there.
    """

    name: str
    shape: tuple[int, ...]
    published: tuple[str, ...]
    part: tuple[int, ...]
    paired: int | None = None
    raised: float = 0.0

    @property
    def is_stack(self) -> bool:
        """Whether it holds several tensors."""
        return len(self.published) > 1


def stored_tensors(row: Architecture, numbers: Dimensions) -> list[Stored]:
    """Every tensor of the GGUF that a model of these numbers makes; a tied output head is not stored."""
    names = get_tensor_name_map(MODEL_ARCH[_ARCHITECTURES[row.name].name], numbers.blocks)

    def called(name: str) -> str:
        found = names.get_name(name, (".weight", ".bias"))
        assert found is not None, name  # a row that gguf's table does not know
        return found

    rows, width = (numbers.vocabulary, numbers.width), (numbers.width,)
    outside = [(EMBEDDING, rows), (NORM, width)]
    if not numbers.tied:
        outside.append((HEAD, rows))
    found = [_one(row, numbers, called(name), name, shape) for name, shape in outside]
    for block in range(numbers.blocks):
        for tensor in row.tensors:
            for name, part in _parameters(tensor, numbers, f"model.layers.{block}."):
                if "*" in name:
                    found.append(_stack(numbers, called(name.replace(".*", "")), name, part))
                else:
                    found.append(_one(row, numbers, called(name), name, part))
    return found


def _parameters(tensor: Tensor, numbers: Dimensions, place: str) -> Iterator[tuple[str, tuple[int, ...]]]:
    """transformers' name of each, and its shape."""
    shape = tuple(numbers.sizes[size] for size in tensor.shape)
    yield f"{place}{tensor.name}.weight", shape
    if tensor.bias is not None and (tensor.bias == ALWAYS or tensor.bias in numbers.biases):
        yield f"{place}{tensor.name}.bias", shape[:1]


def _one(row: Architecture, numbers: Dimensions, stored: str, name: str, shape: tuple[int, ...]) -> Stored:
    return Stored(
        name=stored,
        shape=shape,
        published=(name,),
        part=shape,
        paired=numbers.head_size if name.endswith(row.turned) else None,
        raised=row.raised if name.endswith("norm.weight") else 0.0,
    )


def _stack(numbers: Dimensions, stored: str, name: str, shape: tuple[int, ...]) -> Stored:
    published = tuple(name.replace("*", str(expert)) for expert in range(numbers.experts))
    return Stored(name=stored, shape=(numbers.experts, *shape), published=published, part=shape)
