"""A config.json as the numbers of its model, and back, by a row of the table of architectures."""

from collections.abc import Mapping
from typing import Any

from lineal.engines.architecture.block_table import TRAITS
from lineal.engines.architecture.block_traits import FULL, Found, Trait, always
from lineal.engines.gguf.dimensions import Dimensions
from lineal.engines.gguf.rotary import rotary_config, rotary_of
from lineal.engines.gguf.row import Architecture, Key

ATTENTION_KIND = "the kind of attention"


def said(row: Architecture, config: Mapping[str, Any], key: Key) -> Any:
    """What a config says of a number, or leaves to transformers' default."""
    return next((config[name] for name in key.config if name in config), row.defaults.get(key.config[0]))


def heads_of(row: Architecture, config: Mapping[str, Any]) -> tuple[int, int, int]:
    """Heads, heads of keys and values, rows of a head, of a config whose numbers are whole."""
    found = {key.field: said(row, config, key) for key in row.keys}
    heads, kv_heads, head_size = found["heads"], found["kv_heads"], found["head_size"]
    return heads, heads if kv_heads is None else kv_heads, found["width"] // heads if head_size is None else head_size


def dimensions_of_config(row: Architecture, config: Mapping[str, Any], *, tied: bool) -> Dimensions:
    """The numbers that a config without faults says, or leaves to transformers' defaults."""
    found = {key.field: said(row, config, key) for key in row.keys}
    _, kv_heads, head_size = heads_of(row, config)
    found |= {"kv_heads": kv_heads, "head_size": head_size, "epsilon": float(found["epsilon"])}
    if row.windows is not None and not has_windows(row, config):
        found["window"] = None
    return Dimensions(
        **found,
        rotary=rotary_of(config, head_size, row.rotary, found["context"]),
        tied=tied,
        biases=frozenset(key for key in row.biases if config.get(key, row.defaults.get(key))),
    )


def has_windows(row: Architecture, config: Mapping[str, Any]) -> bool:
    """Whether some of the blocks of a config attend to a window alone."""
    blocks = next(said(row, config, key) for key in row.keys if key.field == "blocks")
    traits = (trait for trait in TRAITS[row.model_type] if trait.what == ATTENTION_KIND)
    return any(kind != FULL for trait in traits for kind in kinds_of(trait, config, blocks) or ())


def kinds_of(trait: Trait, config: Mapping[str, Any], blocks: int) -> list[Any] | None:
    """What each block is by a config; None where it says nothing that can be understood."""
    try:
        return trait.of(config, blocks)
    except (TypeError, ValueError, ArithmeticError):
        return None


def config_of(row: Architecture, numbers: Dimensions) -> dict[str, Any]:
    """The config.json of a transformers model that computes the same."""
    values = {key.config[0]: value for key in row.keys if (value := numbers.value(key.field)) is not None}
    if row.square:
        values.pop("head_dim")
    if row.scaled_by_width is not None:
        values["query_pre_attn_scalar"] = attention_scalar(
            row, numbers.blocks, numbers.width, numbers.heads, numbers.head_size
        )
    config = {
        "model_type": row.model_type,
        "architectures": [row.kind],
        **values,
        **rotary_config(numbers.rotary, numbers.context, row.rotary),
        **{key: key in numbers.biases for key in row.biases},
        **{key: value for key, value in row.fixed.items() if key in row.defaults and row.defaults[key] != value},
        "tie_word_embeddings": numbers.tied,
    }
    for trait in TRAITS[row.model_type]:
        kinds = expected_blocks(row, trait.what, numbers.window)(config, numbers.blocks)
        if trait.said is not None and trait.of(config, numbers.blocks) != kinds:
            config |= {key: value for key, value in trait.said(kinds).items() if value is not None}
    return config


def expected_blocks(row: Architecture, what: str, window: int | None) -> Found:
    """What llama.cpp takes each block for, by what follows from its place."""
    if what == ATTENTION_KIND and row.windows is not None:
        return row.windows if window is not None else always(FULL)
    return row.blocks[what]


def attention_scalar(row: Architecture, blocks: int, width: int, heads: int, head_size: int) -> int:
    """One over the square of what llama.cpp multiplies scores by."""
    return width // heads if blocks == row.scaled_by_width else head_size
