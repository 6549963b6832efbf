"""Why a config.json cannot be said in a GGUF, by a row of the table of architectures."""

from collections.abc import Iterator, Mapping
from typing import Any

from lineal.engines.architecture.block_table import TRAITS
from lineal.engines.gguf.config_keys import (
    attention_scalar,
    dimensions_of_config,
    expected_blocks,
    has_windows,
    heads_of,
    kinds_of,
    said,
)
from lineal.engines.gguf.dimensions import Dimensions
from lineal.engines.gguf.rotary import rotary_faults
from lineal.engines.gguf.row import MOST, Architecture, Key
from lineal.shown import quoted

_DERIVED = ("kv_heads", "head_size")
"""Numbers that follow from others where a config has null."""


def config_faults(row: Architecture, config: Mapping[str, Any], *, tied: bool) -> Iterator[str]:
    """All of them; tied: whether the embedding makes the logits, too."""
    numbers = {key.field: said(row, config, key) for key in row.keys}
    found = [fault for key in row.keys for fault in _number_faults(key, numbers[key.field])]
    if not found:
        found += [*_head_faults(row, config), *_block_faults(row, config), *_window_faults(row, config)]
        if row.is_mixture and numbers["experts_used"] > numbers["experts"]:
            found.append(f"chooses {numbers['experts_used']} experts of {numbers['experts']}")
    for key, value in row.fixed.items():
        given = config.get(key, row.defaults.get(key, value))
        if given != value and (given or value):
            found.append(f"{key} is {quoted(given)}; {row} has {quoted(value)}")
    found += rotary_faults(config, row.rotary, f"{row}")
    if tied and row.head == "own":
        found.append(f"its output head is its embedding; {row} has one of its own")
    if not tied and row.head == "tied":
        found.append(f"its output head is not its embedding; {row} has none of its own")
    yield from found or _factor_faults(dimensions_of_config(row, config, tied=tied))


def config_remarks(row: Architecture, numbers: Dimensions) -> Iterator[str]:
    """What llama.cpp makes otherwise of a GGUF that says it."""
    if row.ignores_windows and numbers.window is not None and numbers.window < numbers.context:
        yield f"attends to the last {numbers.window} tokens alone; {row} attends to all of {numbers.context}"
    long, first = numbers.rotary.long, numbers.rotary.original
    if long is not None and long.short != long.long:
        yield f"has other positions for texts longer than {first} tokens; llama.cpp for contexts longer than that"


def _factor_faults(numbers: Dimensions) -> Iterator[str]:
    """Rotary divisors that are not one a pair."""
    long, pairs = numbers.rotary.long, numbers.rotary_size // 2
    for factors in (long.short, long.long) if long is not None else (numbers.rotary.divisors,):
        if factors and len(factors) != pairs:
            yield f"rope_scaling 'longrope' has {len(factors)} factors; {pairs} pairs of rows are turned"


def _number_faults(key: Key, value: Any) -> Iterator[str]:
    name = key.config[0]
    if value is None and (key.optional or key.field in _DERIVED):
        return
    if key.field == "epsilon":
        if not isinstance(value, int | float) or not 0 < value < 1:
            yield f"{name} must be in (0, 1), got {quoted(value)}"
    elif key.real and (not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < float("inf")):
        yield f"{name} must be a positive number, got {quoted(value)}"
    elif not key.real and (type(value) is not int or value < 1):
        yield f"{name} must be a positive integer, got {quoted(value)}"
    elif isinstance(value, int) and value > MOST.get(key.field, value):
        yield f"{name} is {value}; llama.cpp loads at most {MOST[key.field]}"


def _head_faults(row: Architecture, config: Mapping[str, Any]) -> Iterator[str]:
    heads, kv_heads, head_size = heads_of(row, config)
    found = {key.field: said(row, config, key) for key in row.keys}
    width = found["width"]
    if heads % kv_heads:
        yield f"num_attention_heads {heads} is not a multiple of num_key_value_heads {kv_heads}"
    if found["head_size"] is None and width % heads:
        yield f"hidden_size {width} is not a multiple of num_attention_heads {heads}"
    elif row.square and heads * head_size != width:
        yield f"{heads} heads of {head_size} rows; {row} has as many rows as hidden_size, {width}"
    if head_size % 2:
        yield f"heads have {head_size} rows; rotary embeddings need an even number"
    if row.scaled_by_width is not None:
        scalar = config.get("query_pre_attn_scalar", row.defaults["query_pre_attn_scalar"])
        expected = attention_scalar(row, found["blocks"], width, heads, head_size)
        if scalar != expected:
            yield f"query_pre_attn_scalar is {quoted(scalar)}; {row} of {found['blocks']} blocks has {expected}"


def _block_faults(row: Architecture, config: Mapping[str, Any]) -> Iterator[str]:
    """Blocks that are something else by their place than llama.cpp takes them for."""
    found = {key.field: said(row, config, key) for key in row.keys}
    blocks, window = found["blocks"], found.get("window")
    if any(key.field == "window" and key.optional for key in row.keys) and row.windows and not has_windows(row, config):
        window = None
    for trait in TRAITS[row.model_type]:
        kinds, expected = kinds_of(trait, config, blocks), expected_blocks(row, trait.what, window)(config, blocks)
        if kinds is None or len(kinds) != blocks:
            said_of = "no" if kinds is None else len(kinds)
            yield f"{trait.what} is said of {said_of} blocks, there are {blocks}"
            continue
        other = next((i for i in range(blocks) if kinds[i] != expected[i]), None)
        if other is not None:
            yield f"{trait.what} in block {other} is {quoted(kinds[other])}; {row} has {quoted(expected[other])} there"


def _window_faults(row: Architecture, config: Mapping[str, Any]) -> Iterator[str]:
    """A window of all blocks, where llama.cpp has none."""
    if "sliding_window" not in row.defaults or any(key.field == "window" for key in row.keys):
        return
    window = config.get("sliding_window", row.defaults["sliding_window"])
    if not config.get("use_sliding_window", row.defaults.get("use_sliding_window", True)) or window is None:
        return
    context = next(said(row, config, key) for key in row.keys if key.field == "context")
    if not isinstance(window, int) or window < context:
        yield f"sliding_window is {quoted(window)}, shorter than max_position_embeddings {context}; {row} has none"
