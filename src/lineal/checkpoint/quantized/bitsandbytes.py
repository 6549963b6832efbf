"""bitsandbytes' layouts: four-bit codes (nf4, fp4) in blocks of one scale each, and int8 with a scale for each row.

Source: Dettmers et al. 2023, "QLoRA"; Dettmers et al. 2022, "LLM.int8()"; what bitsandbytes 0.50 saves.
"""

import re
from collections.abc import Iterator

from lineal.checkpoint.quantized.bnb_eight_bits import eight_bits
from lineal.checkpoint.quantized.bnb_four_bits import four_bits
from lineal.checkpoint.quantized.coded import Coded, Quantized
from lineal.checkpoint.quantized.folder import QuantizedFolder

_STATE = re.compile(r"(.+)\.quant_state\.bitsandbytes__(\w+)")


def read(folder: QuantizedFolder) -> Quantized:
    """Every weight in four bits, which its quantization state tells of, and every one in eight, which SCB does."""
    coded = dict(_found(folder))
    return Quantized(coded, frozenset(spec.name for one in coded.values() for spec in one.beside))


def _found(folder: QuantizedFolder) -> Iterator[tuple[str, Coded]]:
    for name in folder.checkpoint:
        if (match := _STATE.fullmatch(name)) is not None:
            yield match[1], four_bits(folder, match[1], match[2])
        elif name.endswith(".SCB"):
            weight = f"{name.removesuffix('.SCB')}.weight"
            yield weight, eight_bits(folder, weight)
