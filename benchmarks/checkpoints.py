"""Three Llama-shaped bfloat16 checkpoints, a base and two fine-tunes of it: generated once, in little memory."""

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, final

import ml_dtypes
import numpy as np

from lineal.checkpoint.reader import FULL_WEIGHTS
from lineal.checkpoint.written.layout import Layout, Planned, lay_out

BASE, FINE_TUNES = "base", ("a", "b")
_FAMILY = (BASE, *FINE_TUNES)
_VOCABULARY = 32_000
_HEAD = 64
_REFERENCE = (660_000_000, 1536)
"""Parameters and hidden size of the shape that others are scaled from."""
_SPREAD, _CHANGE = np.float32(0.02), np.float32(0.001)
"""Standard deviations of the base's weights, and of what a fine-tune adds to them."""
_WINDOW_ELEMENTS = 1 << 20


@final
@dataclass(frozen=True)
class Shape:
    """What a Llama's config says of its size."""

    hidden: int
    intermediate: int
    layers: int

    def deeper(self, times: int) -> "Shape":
        return replace(self, layers=times * self.layers)

    def wider(self, times: int) -> "Shape":
        """Matrices within blocks grow with the square."""
        return replace(self, hidden=times * self.hidden, intermediate=times * self.intermediate)

    @property
    def parameters(self) -> int:
        return sum(tensor.elements for tensor in self.tensors())

    def tensors(self) -> list[Planned]:
        square, up, down = (self.hidden,) * 2, (self.intermediate, self.hidden), (self.hidden, self.intermediate)
        block = {f"self_attn.{name}_proj": square for name in "qkvo"}
        block |= {"mlp.gate_proj": up, "mlp.up_proj": up, "mlp.down_proj": down}
        block |= {"input_layernorm": (self.hidden,), "post_attention_layernorm": (self.hidden,)}
        named = {f"model.layers.{i}.{name}": shape for i in range(self.layers) for name, shape in block.items()}
        vocabulary = (_VOCABULARY, self.hidden)
        named |= {"model.embed_tokens": vocabulary, "lm_head": vocabulary, "model.norm": (self.hidden,)}
        return [Planned(f"{name}.weight", "BF16", shape) for name, shape in named.items()]

    def config(self) -> dict[str, Any]:
        heads = self.hidden // _HEAD
        return {
            "architectures": ["LlamaForCausalLM"],
            "dtype": "bfloat16",
            "head_dim": _HEAD,
            "hidden_act": "silu",
            "hidden_size": self.hidden,
            "intermediate_size": self.intermediate,
            "max_position_embeddings": 2048,
            "model_type": "llama",
            "num_attention_heads": heads,
            "num_hidden_layers": self.layers,
            "num_key_value_heads": heads,
            "rms_norm_eps": 1e-05,
            "tie_word_embeddings": False,
            "vocab_size": _VOCABULARY,
        }


def shape_of(parameters: int) -> Shape:
    """A Llama of about so many parameters, as deep for its width as models of that size are."""
    reference, width = _REFERENCE
    hidden = _multiple(width * (parameters / reference) ** (1 / 3))
    intermediate = _multiple(hidden * 10 / 3)
    block = 4 * hidden**2 + 3 * hidden * intermediate
    return Shape(hidden, intermediate, max(1, round((parameters - 2 * _VOCABULARY * hidden) / block)))


def checkpoints(work: Path, shape: Shape) -> dict[str, Path]:
    """The folders by name, generated unless they are there."""
    folder = work / f"llama-{shape.parameters / 1e6:.0f}M"
    if not folder.exists():
        partial = folder.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        _generate(partial, shape)
        partial.rename(folder)
    return {name: folder / name for name in _FAMILY}


def _generate(folder: Path, shape: Shape) -> None:
    layout = lay_out(shape.tensors(), shard_bytes=1 << 62)
    for name in _FAMILY:
        (folder / name).mkdir(parents=True)
        (folder / name / "config.json").write_text(json.dumps(shape.config(), indent=2) + "\n")
    with (
        (folder / BASE / FULL_WEIGHTS).open("wb") as base,
        (folder / FINE_TUNES[0] / FULL_WEIGHTS).open("wb") as first,
        (folder / FINE_TUNES[1] / FULL_WEIGHTS).open("wb") as second,
    ):
        _fill(layout, (base, first, second))


def _fill(layout: Layout, files: tuple[IO[bytes], ...]) -> None:
    """All three at once, so that the base's numbers are drawn only once."""
    for file in files:
        file.write(layout.headers[FULL_WEIGHTS])
    for index, slot in enumerate(layout.slots.values()):
        mean = np.float32(1 if "norm" in slot.planned.name else 0)
        draws = [np.random.default_rng([index, model]) for model in range(len(files))]
        for start in range(0, slot.planned.elements, _WINDOW_ELEMENTS):
            count = min(_WINDOW_ELEMENTS, slot.planned.elements - start)
            origin, *changes = (draw.standard_normal(count, np.float32) for draw in draws)
            origin = origin * _SPREAD + mean
            for file, values in zip(files, (origin, *(origin + change * _CHANGE for change in changes)), strict=True):
                file.write(values.astype(ml_dtypes.bfloat16).view(np.uint8).data)


def _multiple(size: float) -> int:
    return max(1, round(size / _HEAD)) * _HEAD
