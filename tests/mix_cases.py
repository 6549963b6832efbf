"""Shapes of models whose types per tensor were seen in llama.cpp's quantizer, and how those types are written down."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from lineal.methods.quantize.mix_table import ModelShape
from lineal.methods.quantize.mixes import Wishes

VECTORS = Path(__file__).with_name("vectors") / "gguf_types.json"


@dataclass(frozen=True, kw_only=True)
class Case:
    """A model of few rows: of `width` columns, `ahead` of ffn_down; wishes beside the scheme."""

    shape: ModelShape
    width: int = 256
    ahead: int = 256
    fused: bool = False
    wishes: Wishes = field(default_factory=Wishes)

    @property
    def tensors(self) -> dict[str, tuple[int, ...]]:
        """GGUF names and shapes; two rows a matrix are enough."""
        shape, width = self.shape, self.width
        found: dict[str, tuple[int, ...]] = {"token_embd.weight": (2, width), "output_norm.weight": (width,)}
        if not shape.tied:
            found["output.weight"] = (2, width)
        names = ["attn_qkv"] if self.fused else ["attn_q", "attn_k", "attn_v"]
        for block in range(shape.blocks):
            place = f"blk.{block}."
            found |= {f"{place}{name}.weight": (2, width) for name in (*names, "attn_output")}
            found |= {f"{place}{name}_norm.weight": (width,) for name in ("attn", "ffn")}
            stacked, last = ((2,), "_exps") if shape.experts else ((), "")
            found |= {f"{place}ffn_{part}{last}.weight": (*stacked, 2, width) for part in ("gate", "up")}
            found[f"{place}ffn_down{last}.weight"] = (*stacked, 2, self.ahead)
            if shape.experts:
                found[f"{place}ffn_gate_inp.weight"] = (shape.experts, width)
        return found


def llama(
    blocks: int, heads: int, kv_heads: int, *, experts: int = 0, tied: bool = False, importance: bool = False
) -> ModelShape:
    return of("llama", blocks, heads, kv_heads, experts=experts, tied=tied, importance=importance)


def of(
    architecture: str,
    blocks: int,
    heads: int,
    kv_heads: int,
    *,
    experts: int = 0,
    tied: bool = False,
    importance: bool = False,
) -> ModelShape:
    return ModelShape(
        architecture=architecture,
        blocks=blocks,
        heads=heads,
        kv_heads=kv_heads,
        experts=experts,
        tied=tied,
        importance=importance,
    )


WISHES = Wishes((("attn_v", "Q8_0"), (r"blk\.[01]\.ffn", "Q5_K"), ("ffn_(up|gate)", "Q3_K")))

CASES: Mapping[str, Case] = {
    "2 blocks, tied": Case(shape=llama(2, 8, 8, tied=True)),
    "7 blocks, keys shared by four": Case(shape=llama(7, 8, 2)),
    "12 blocks, keys shared by eight, tied": Case(shape=llama(12, 8, 1, tied=True)),
    "16 blocks, importance": Case(shape=llama(16, 8, 8, importance=True)),
    "22 blocks, keys shared by eight, importance": Case(shape=llama(22, 8, 1, importance=True)),
    "32 blocks": Case(shape=llama(32, 8, 8)),
    "40 blocks, keys shared by four, tied": Case(shape=llama(40, 8, 2, tied=True)),
    "80 blocks, 65B": Case(shape=llama(80, 8, 8)),
    "80 blocks, 70B": Case(shape=llama(80, 8, 1)),
    "qwen2, 80 blocks": Case(shape=of("qwen2", 80, 8, 8)),
    "mixtral": Case(shape=llama(32, 8, 2, experts=8)),
    "mixtral, importance": Case(shape=llama(32, 8, 2, experts=8, importance=True)),
    "four experts": Case(shape=llama(12, 8, 8, experts=4)),
    "qwen3moe": Case(shape=of("qwen3moe", 48, 8, 1, experts=128)),
    "phi3": Case(shape=of("phi3", 32, 8, 8), fused=True),
    "gemma": Case(shape=of("gemma", 18, 8, 1, tied=True)),
    "olmo2": Case(shape=of("olmo2", 16, 8, 8)),
    "rows of 96": Case(shape=llama(8, 8, 2), width=96, ahead=96),
    "rows of 96, tied": Case(shape=llama(4, 8, 2, tied=True), width=96, ahead=256),
    "rows of 320 in ffn_down": Case(shape=llama(8, 8, 8), ahead=320),
    "rows of 40": Case(shape=llama(2, 8, 8), width=40, ahead=40),
    "types by name": Case(shape=llama(12, 8, 2), wishes=WISHES),
    "types by name, rows of 320": Case(shape=llama(4, 8, 2), ahead=320, wishes=Wishes((("ffn_down", "Q6_K"),))),
    "output, embedding": Case(shape=llama(2, 8, 8), wishes=Wishes((), "Q8_0", "Q4_0")),
    "output, embedding, tied": Case(shape=llama(2, 8, 8, tied=True), wishes=Wishes((), "Q8_0", "Q4_0")),
    "output, tied": Case(shape=llama(2, 8, 8, tied=True), wishes=Wishes((), "Q5_1")),
}


def written(types: Mapping[str, str]) -> dict[str, str]:
    """Types by the part of a name behind the block, blocks in order, equal neighbours counted: `Q6_K*4 Q4_K`."""
    parts: dict[str, list[str]] = {}
    for name in sorted(types, key=lambda name: int(name.split(".")[1]) if name.startswith("blk.") else -1):
        parts.setdefault(name.split(".", 2)[2] if name.startswith("blk.") else name, []).append(types[name])
    return {part: _runs(kinds) for part, kinds in sorted(parts.items()) if "norm" not in part}


def _runs(kinds: list[str]) -> str:
    runs = [(kind, len(list(run))) for kind, run in groupby(kinds)]
    return " ".join(kind if count == 1 else f"{kind}*{count}" for kind, count in runs)


def grouped(parts: Mapping[str, str]) -> dict[str, str]:
    """The same the other way round, to be short: what was seen -> the tensors it was seen of."""
    seen: dict[str, list[str]] = {}
    for part, kinds in parts.items():
        seen.setdefault(kinds, []).append(part.removesuffix(".weight"))
    return {kinds: " ".join(names) for kinds, names in sorted(seen.items())}


def stored() -> Mapping[str, Mapping[str, Mapping[str, str]]]:
    """Case -> scheme -> what llama.cpp gave."""
    return json.loads(VECTORS.read_text(encoding="utf-8"))
