"""Which traits the blocks of each architecture have by their place: what a cut or a stack must say anew."""

from collections.abc import Mapping, Sequence
from typing import Any

from lineal.engines.architecture.block_traits import (
    DENSE,
    FULL,
    LINEAR,
    SLIDING,
    SPARSE,
    Config,
    Found,
    Trait,
    always,
    by_place,
    dense_first,
    first,
    first_of,
    last_of,
    listed,
    numbered_in,
    one_or_each,
    sparse_by_step,
)

_MIXTURES = "which blocks are mixtures of experts"


def _windows_after(default: int, *, asked: bool) -> Found:
    """Sliding windows from block `max_window_layers` on; asked: only where `use_sliding_window` says so."""

    def of(config: Config, blocks: int) -> list[Any]:
        window = config.get("sliding_window", 4096) if config.get("use_sliding_window") or not asked else None
        start = config.get("max_window_layers", default)
        return [SLIDING if window is not None and i >= start else FULL for i in range(blocks)]

    return of


def _windows_before(config: Config, blocks: int) -> list[Any]:
    """Qwen2-MoE: every second block up to `max_window_layers`."""
    asked, end = config.get("use_sliding_window", False), config.get("max_window_layers", 28)
    return [SLIDING if asked and i % 2 == 0 and i < end else FULL for i in range(blocks)]


def _rope(config: Config, blocks: int) -> list[Any]:
    interval = config.get("no_rope_layer_interval", 4)
    return config.get("no_rope_layers") or [int((i + 1) % interval != 0) for i in range(blocks)]


def _window_without_rope(config: Config, blocks: int) -> list[Any]:
    """SmolLM3."""
    windows = config.get("use_sliding_window", False) and config.get("sliding_window") is not None
    return [SLIDING if windows and not rope else FULL for rope in _rope(config, blocks)]


def _chunks_with_rope(config: Config, blocks: int) -> list[Any]:
    """Llama 4."""
    return ["chunked_attention" if rope else FULL for rope in _rope(config, blocks)]


def _step_of_experts(config: Config, blocks: int) -> list[Any]:
    """Llama 4."""
    step = config.get("interleave_moe_layer_step", 1)
    return [SPARSE if (i + 1) % step == 0 else None for i in range(blocks)]


def _ernie(config: Config, blocks: int) -> list[Any]:
    start, end = config.get("moe_layer_start_index", 1), config.get("moe_layer_end_index", -1)
    interval, end = config.get("moe_layer_interval", 1), blocks - 1 if end == -1 else end
    return [SPARSE if (i + 1) % interval == 0 and start <= i <= end else DENSE for i in range(blocks)]


def _ernie_said(kinds: Sequence[Any]) -> Mapping[str, Any]:
    """One run of mixtures, if they are one."""
    sparse = [i for i, kind in enumerate(kinds) if kind == SPARSE] or [len(kinds)]
    return {"moe_layer_start_index": sparse[0], "moe_layer_end_index": sparse[-1], "moe_layer_interval": 1}


def _periodic(period: str, offset: str, defaults: tuple[int, int]) -> Found:
    """Jamba."""
    return lambda config, blocks: [
        i % config.get(period, defaults[0]) == config.get(offset, defaults[1]) for i in range(blocks)
    ]


def _mimo(_: Config, blocks: int) -> list[Any]:
    return [FULL if i == 0 or (i + 1) % 6 == 0 else SLIDING for i in range(blocks)]


def _flint(_: Config, blocks: int) -> list[Any]:
    return [FULL if i < 2 or i % 4 == 1 or i == blocks - 1 else SLIDING for i in range(blocks)]


def _olmo_hybrid(config: Config, blocks: int) -> list[Any]:
    kinds = last_of(4, kind=FULL, other=LINEAR)(config, blocks)
    return kinds if FULL in kinds else [*kinds[:-1], FULL]


def _lfm2(config: Config, blocks: int) -> list[Any]:
    full = config.get("full_attn_idxs")
    return [FULL if full is None or i in full else "conv" for i in range(blocks)]


def _lfm3(_: Config, blocks: int) -> list[Any]:
    return [FULL if i % 4 == 2 else SLIDING if i % 4 == 0 and i > 0 else "conv" for i in range(blocks)]


def _cohere_mixture(config: Config, blocks: int) -> list[Any]:
    """A period of its own for the dense blocks at the beginning, after which the other begins anew."""
    dense = config.get("first_k_dense_replace", 0)
    before = last_of(1, "prefix_dense_sliding_window_pattern")(config, dense)
    return [*before, *last_of(4, "sliding_window_pattern")(config, blocks - dense)]


def _griffin(config: Config, blocks: int) -> list[Any]:
    """RecurrentGemma: the kinds in a circle."""
    kinds = config.get("block_types") or ("recurrent", "recurrent", "attention")
    return [kinds[i % len(kinds)] for i in range(blocks)]


def _gpt_neo(config: Config, _: int) -> list[Any]:
    runs: list[tuple[list[str], int]] = config.get("attention_types") or [(["global", "local"], 12)]
    return [kind for kinds, times in runs for kind in kinds * times]


def _lightning(config: Config, blocks: int) -> list[Any]:
    """MiniMax: the decay of linear attention."""
    kinds = config.get("layer_types") or last_of(2, kind=LINEAR, other=FULL)(config, blocks)
    return [(i, blocks) if kind == LINEAR else None for i, kind in enumerate(kinds)]


def _depth_scale(config: Config, blocks: int) -> list[Any]:
    """MiniCPM: the root of the number of blocks divides what each adds."""
    return [blocks] * blocks if config.get("scale_depth", 1) else [0] * blocks


def _inverse_place(config: Config, blocks: int) -> list[Any]:
    """GPT-2."""
    return list(range(blocks)) if config.get("scale_attn_by_inverse_layer_idx") else [0] * blocks


def _pattern(period: int) -> Trait:
    return listed("layer_types", last_of(period, "sliding_window_pattern"), "sliding_window_pattern")


_WINDOWS = listed("layer_types", _windows_after(28, asked=True), "max_window_layers")
_FIXED_2 = listed("layer_types", last_of(2))
_LINEAR_THEN_FULL = listed(
    "layer_types", last_of(4, "full_attention_interval", other=LINEAR), "full_attention_interval"
)
_NOPE = listed("no_rope_layers", _rope, "no_rope_layer_interval", what="the use of rotary positions")
_DENSE_ONE = listed("mlp_layer_types", first(), what=_MIXTURES)
_FIRST_BLOCK = by_place("what the first block alone has or lacks", lambda _, blocks: [i == 0 for i in range(blocks)])
_LAST_BLOCK = by_place("what the last block alone has", lambda _, blocks: [i == blocks - 1 for i in range(blocks)])

_UNIFORM = (
    *("apertus", "arcee", "aria_text", "biogpt", "bitnet", "bloom", "codegen", "cohere", "ctrl", "doge"),
    *("ernie4_5", "falcon", "falcon_h1", "falcon_mamba", "flex_olmo", "gemma", "glm", "glm4", "gpt_bigcode"),
    *("gpt_neox", "gptj", "granite", "granitemoe", "granitemoeshared", "helium", "hunyuan_v1_dense", "hyperclovax"),
    *("internlm3", "iquestcoder", "jais2", "jetmoe", "llama", "mamba", "mamba2", "minimax_m2"),
    *("ministral3", "mistral", "mixtral", "mpt", "nanochat", "nemotron", "olmo", "olmo2", "olmoe", "openai-gpt"),
    *("opt", "persimmon", "phi", "phi3", "phimoe", "seed_oss", "solar_open", "stablelm", "starcoder2", "xglm"),
)
"""Architectures whose blocks do not depend on their place."""

TRAITS: Mapping[str, tuple[Trait, ...]] = {
    **dict.fromkeys(_UNIFORM, ()),
    "afmoe": (
        listed("layer_types", last_of(4, "global_attn_every_n_layers"), "global_attn_every_n_layers"),
        dense_first("num_dense_layers", 1),
    ),
    "bamba": (numbered_in("attn_layer_indices", always(None), "the kind of attention", FULL),),
    "cohere2": (_pattern(4),),
    "cohere2_moe": (
        listed("layer_types", _cohere_mixture, "sliding_window_pattern", "prefix_dense_sliding_window_pattern"),
        listed("mlp_layer_types", first("first_k_dense_replace", 0), "first_k_dense_replace", what=_MIXTURES),
    ),
    "cwm": (listed("layer_types", first_of(4)),),
    "deepseek_v2": (dense_first("first_k_dense_replace", 0),),
    "deepseek_v3": (dense_first("first_k_dense_replace", 3),),
    "diffllama": (by_place("the start of lambda", lambda _, blocks: list(range(blocks))),),
    "dots1": (
        listed("layer_types", _windows_after(62, asked=False), "max_window_layers"),
        dense_first("first_k_dense_replace", 0),
    ),
    "ernie4_5_moe": (Trait(_MIXTURES, _ernie, _ernie_said),),
    "exaone4": (_pattern(4),),
    "exaone_moe": (
        _pattern(4),
        listed("mlp_layer_types", first("first_k_dense_replace"), "first_k_dense_replace", what=_MIXTURES),
    ),
    "flint": (listed("layer_types", _flint), sparse_by_step((0, 1))),
    "gemma2": (_FIXED_2,),
    "gemma3_text": (
        listed(
            "layer_types", last_of(6, "sliding_window_pattern"), "sliding_window_pattern", "_sliding_window_pattern"
        ),
    ),
    "glm4_moe": (dense_first("first_k_dense_replace", 1),),
    "glm4_moe_lite": (_DENSE_ONE,),
    "gpt2": (by_place("the scale of attention", _inverse_place),),
    "gpt_neo": (Trait("the kind of attention", _gpt_neo, lambda kinds: {"attention_types": [[list(kinds), 1]]}),),
    "gpt_neox_japanese": (_LAST_BLOCK,),
    "gpt_oss": (_FIXED_2,),
    "granite_swa": (listed("layer_types", first_of(4)),),
    "granitemoe_swa": (listed("layer_types", first_of(4)),),
    "granitemoehybrid": (listed("layer_types", always(LINEAR)),),
    "hunyuan_v1_moe": (
        one_or_each("num_experts", 1, "the number of experts"),
        one_or_each("moe_topk", 1, "the number of experts per token"),
    ),
    "hy_v3": (_DENSE_ONE,),
    "jamba": (
        by_place("the kind of attention", _periodic("attn_layer_period", "attn_layer_offset", (8, 4))),
        by_place(_MIXTURES, _periodic("expert_layer_period", "expert_layer_offset", (2, 1))),
    ),
    "kolibri1": (listed("layer_types", last_of(5)),),
    "laguna": (
        listed("layer_types", always(FULL)),
        _DENSE_ONE,
        listed(
            "num_attention_heads_per_layer",
            lambda config, blocks: [config.get("num_attention_heads", 48)] * blocks,
            what="the number of heads",
        ),
    ),
    "lfm2": (listed("layer_types", _lfm2, "full_attn_idxs"),),
    "lfm2_moe": (listed("layer_types", always(None)), dense_first("num_dense_layers", 2)),
    "lfm3": (listed("layer_types", _lfm3),),
    "llama4_text": (
        _NOPE,
        listed("layer_types", _chunks_with_rope),
        numbered_in("moe_layers", _step_of_experts, _MIXTURES, SPARSE, "interleave_moe_layer_step"),
    ),
    "mellum": (listed("layer_types", always(FULL)), listed("mlp_layer_types", always(SPARSE), what=_MIXTURES)),
    "mimo_v2_flash": (listed("layer_types", _mimo), _DENSE_ONE),
    "minicpm3": (by_place("the weight of each block beside its input", _depth_scale),),
    "minimax": (
        listed("layer_types", last_of(2, kind=LINEAR, other=FULL)),
        by_place("the decay of linear attention", _lightning),
    ),
    "ministral": (
        listed(
            "layer_types",
            lambda config, blocks: [FULL if config.get("sliding_window", 4096) is None else SLIDING] * blocks,
        ),
    ),
    "modernbert-decoder": (
        listed("layer_types", first_of(3, "global_attn_every_n_layers"), "global_attn_every_n_layers"),
        _FIRST_BLOCK,
    ),
    "olmo3": (listed("layer_types", last_of(4)),),
    "olmo_hybrid": (listed("layer_types", _olmo_hybrid),),
    "qwen2": (_WINDOWS,),
    "qwen2_moe": (listed("layer_types", _windows_before, "max_window_layers"), sparse_by_step()),
    "qwen3": (_WINDOWS,),
    "qwen3_5_moe_text": (_LINEAR_THEN_FULL,),
    "qwen3_5_text": (_LINEAR_THEN_FULL,),
    "qwen3_moe": (sparse_by_step(),),
    "qwen3_next": (_LINEAR_THEN_FULL, sparse_by_step()),
    "recurrent_gemma": (Trait("the kind of block", _griffin, lambda kinds: {"block_types": list(kinds)}),),
    "rwkv": (_FIRST_BLOCK,),
    "smollm3": (_NOPE, listed("layer_types", _window_without_rope)),
    "vaultgemma": (_FIXED_2,),
}
"""Architectures whose blocks are known; each was compared with what transformers builds."""
