"""What a row of the table of architectures is made of: keys, tensors, and what llama.cpp takes for granted."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, final

from lineal.engines.architecture.block_traits import Found
from lineal.engines.gguf.rotary import PLAIN, RotaryRule

EMBEDDING, NORM, HEAD = "model.embed_tokens.weight", "model.norm.weight", "lm_head.weight"
"""Tensors outside of blocks, which all architectures have under these names."""
MOST: Mapping[str, int] = {"blocks": 512, "experts": 1024}
"""Of what llama.cpp loads."""
ALWAYS = "always"
"""Of a bias that no config can leave out."""


@final
@dataclass(frozen=True)
class Key:
    """A number that a config.json and a GGUF both say.

    field: of Dimensions; config: its names in a config.json, the first of which is written; gguf: its keys after the
    architecture's name; real: not whole; none: what stands in the GGUF for a number that there is not, None: nothing.
    """

    field: str
    config: tuple[str, ...]
    gguf: tuple[str, ...]
    real: bool = False
    optional: bool = False
    none: int | None = None


@final
@dataclass(frozen=True)
class Tensor:
    """A matrix or vector of every block.

    name: transformers' name in the block, without what kind of parameter it is; a star stands for an expert's number,
    and the matrices of all experts are one tensor in a GGUF; shape: names of sizes; bias: the word in a config.json for
    whether there is one beside it.
    """

    name: str
    shape: tuple[str, ...]
    bias: str | None = None


@final
@dataclass(frozen=True, kw_only=True)
class Architecture:
    """name: in a GGUF; model_type: in a config.json; kind: transformers' class.

    keys: numbers that both say; defaults: what transformers takes for keys of a config.json that is silent; fixed: keys
    of a config.json whose one value llama.cpp computes with; tensors: of a block; head: whether there is an output
    head beside the embedding; biases: word in a config.json -> a tensor of a GGUF that only a model with them has;
    blocks: what llama.cpp takes each block for, by what follows from its place; windows: the same for attention, where
    there is a window; turned: ends of names of tensors whose rows rotary embeddings pair, which llama.cpp has side by
    side; raised: what is added to the weights of norms in a GGUF; square: heads are as wide as the model together;
    scaled_by_width: so many blocks have scores scaled by width / heads, any other number by a head's size;
    ignores_windows: llama.cpp reads the window and attends to everything.
    """

    name: str
    model_type: str
    kind: str
    keys: tuple[Key, ...]
    tensors: tuple[Tensor, ...]
    defaults: Mapping[str, Any]
    fixed: Mapping[str, Any] = field(default_factory=dict[str, Any])
    rotary: RotaryRule = PLAIN
    head: Literal["either", "tied", "own"] = "either"
    biases: Mapping[str, str] = field(default_factory=dict[str, str])
    blocks: Mapping[str, Found] = field(default_factory=dict[str, Found])
    windows: Found | None = None
    turned: tuple[str, ...] = ()
    raised: float = 0.0
    square: bool = False
    scaled_by_width: int | None = None
    ignores_windows: bool = False

    @property
    def is_mixture(self) -> bool:
        """Whether its blocks have experts."""
        return any(key.field == "experts" for key in self.keys)

    def __str__(self) -> str:
        return f"llama.cpp's {self.name}"
