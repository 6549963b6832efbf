"""llama.cpp's mixes, a row each: the ggml type of a scheme's matrices, and which of them get another one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True, kw_only=True)
class ModelShape:
    """What the types of a model's tensors depend on beside their names and shapes.

    blocks: as the file's metadata counts them; experts: of a block, 0 of a dense model; tied: the embedding makes the
    logits, and no head is stored; importance: an importance matrix is given, whichever tensors it is of.
    """

    architecture: str
    blocks: int
    heads: int
    kv_heads: int
    experts: int = 0
    tied: bool = False
    importance: bool = False

    @property
    def shares_keys(self) -> bool:
        """Whether four heads or more look at the same keys and values."""
        return self.kv_heads > 0 and self.heads // self.kv_heads >= 4


@final
@dataclass(frozen=True, slots=True)
class Place:
    """A tensor among those of its part of the blocks: the how manieth, of how many, in which model."""

    index: int
    of: int
    model: ModelShape


Rules = tuple[tuple[Callable[[Place], bool], str], ...]
"""Conditions and the types they give; the first that holds counts, and where none does the scheme's own type."""


def always(_: Place) -> bool:
    return True


def outer_and_every_third(place: Place) -> bool:
    """The first eighth of the blocks, the last eighth, and every third between."""
    eighth = place.of // 8
    return place.index < eighth or place.index >= 7 * place.of // 8 or (place.index - eighth) % 3 == 2


def first(count: int) -> Callable[[Place], bool]:
    return lambda place: place.index < count


def first_one_of(parts: int) -> Callable[[Place], bool]:
    """The first of so many equal parts of the blocks."""
    return lambda place: place.index < place.of // parts


def shared_keys(place: Place) -> bool:
    return place.model.shares_keys


def first_eighth_with_importance(place: Place) -> bool:
    return place.model.importance and place.index < place.of // 8


def first_eighth_without_importance(place: Place) -> bool:
    return not place.model.importance and place.index < place.of // 8


@final
@dataclass(frozen=True, kw_only=True)
class Mix:
    """One scheme. base: the type of every matrix that no rule names; file_type: its number in `general.file_type`.

    of_eight: the type of attn_output in a model with eight experts, where it is not the base.
    """

    base: str
    file_type: int
    attn_v: Rules = ()
    ffn_down: Rules = ()
    attn_output: Rules = ()
    of_eight: str | None = None

    @property
    def in_blocks(self) -> bool:
        """Whether its values share scales; else every matrix is of one float type, and there is nothing to mix."""
        return self.base not in ("F32", "F16", "BF16")


_NON_LINEAR: Rules = ((first_eighth_without_importance, "Q5_K"),)

MIXES: Mapping[str, Mix] = {
    "f32": Mix(base="F32", file_type=0),
    "f16": Mix(base="F16", file_type=1),
    "bf16": Mix(base="BF16", file_type=32),
    "q8_0": Mix(base="Q8_0", file_type=7),
    "q4_0": Mix(base="Q4_0", file_type=2, ffn_down=((first_eighth_with_importance, "Q4_1"),)),
    "q4_1": Mix(base="Q4_1", file_type=3),
    "q5_0": Mix(base="Q5_0", file_type=8, ffn_down=((first_eighth_with_importance, "Q5_1"),)),
    "q5_1": Mix(base="Q5_1", file_type=9),
    "q2_k": Mix(
        base="Q2_K",
        file_type=10,
        attn_v=((shared_keys, "Q4_K"), (always, "Q3_K")),
        ffn_down=((always, "Q3_K"),),
        attn_output=((always, "Q3_K"),),
        of_eight="Q5_K",
    ),
    "q3_k_s": Mix(base="Q3_K", file_type=11, of_eight="Q5_K"),
    "q3_k_m": Mix(
        base="Q3_K",
        file_type=12,
        attn_v=((first(2), "Q5_K"), (always, "Q4_K")),
        ffn_down=((first_one_of(16), "Q5_K"), (always, "Q4_K")),
        attn_output=((always, "Q4_K"),),
        of_eight="Q5_K",
    ),
    "q3_k_l": Mix(
        base="Q3_K",
        file_type=13,
        attn_v=((always, "Q5_K"),),
        ffn_down=((always, "Q5_K"),),
        attn_output=((always, "Q5_K"),),
    ),
    "q4_k_s": Mix(
        base="Q4_K",
        file_type=14,
        attn_v=((first(4), "Q5_K"),),
        ffn_down=((first_one_of(8), "Q5_K"),),
        of_eight="Q5_K",
    ),
    "q4_k_m": Mix(
        base="Q4_K",
        file_type=15,
        attn_v=((outer_and_every_third, "Q6_K"),),
        ffn_down=((outer_and_every_third, "Q6_K"),),
        of_eight="Q5_K",
    ),
    "q5_k_s": Mix(base="Q5_K", file_type=16),
    "q5_k_m": Mix(
        base="Q5_K",
        file_type=17,
        attn_v=((outer_and_every_third, "Q6_K"),),
        ffn_down=((outer_and_every_third, "Q6_K"),),
    ),
    "q6_k": Mix(base="Q6_K", file_type=18),
    "iq4_nl": Mix(base="IQ4_NL", file_type=25, attn_v=((shared_keys, "Q5_K"),), ffn_down=_NON_LINEAR, of_eight="Q5_K"),
    "iq4_xs": Mix(base="IQ4_XS", file_type=30, attn_v=((shared_keys, "Q5_K"),), ffn_down=_NON_LINEAR, of_eight="Q5_K"),
}

ALIASES: Mapping[str, str] = {"q3_k": "q3_k_m", "q4_k": "q4_k_m", "q5_k": "q5_k_m"}
"""Names that llama.cpp's command line takes for mixes."""

SHORTER: Mapping[str, str] = {
    "Q2_K": "Q4_0",
    "Q3_K": "Q4_0",
    "Q4_K": "Q5_0",
    "Q5_K": "Q5_1",
    "Q6_K": "Q8_0",
    "IQ4_XS": "IQ4_NL",
}
"""What a tensor gets whose rows are no whole blocks of 256; F16 where they are none of 32, either."""

MIXED_OTHERWISE = frozenset({"falcon", "glm5-next"})
"""Architectures for which llama.cpp has rules of their own."""


def is_70b(model: ModelShape) -> bool:
    """What llama.cpp takes for a model of 70 B parameters: its values, shared by eight heads, get more bits."""
    match model.architecture:
        case "llama":
            return model.blocks == 80 and model.heads != model.kv_heads and model.experts != 8
        case "qwen2" | "deci" | "olmo":
            return model.blocks == 80
        case "jais2":
            return model.blocks == 68
        case _:
            return False


MORE_OF_70B: Mapping[str, str] = {"Q3_K": "Q5_K", "Q4_K": "Q5_K"}

KEPT = (
    "_norm.weight",
    "ffn_gate_inp.weight",
    "ffn_gate_tid2eid.weight",
    "altup",
    "laurel",
    "per_layer_model_proj",
    "ssm_conv1d",
    "shortconv.conv.weight",
    "indexer.k_proj.weight",
    "indexer.q_proj.weight",
    *(
        f"time_mix_{part}.weight"
        for part in ("first", "w0", "w1", "w2", "v0", "v1", "v2", "a0", "a1", "a2", "g1", "g2")
    ),
    *(f"time_mix_{part}.weight" for part in ("decay_w1", "decay_w2", "lerp_fused")),
    "attn_rel_b.weight",
    ".position_embd",
    "sam.pos_embd",
    "sam.neck.",
    "sam.net_",
    ".rel_pos",
    ".patch_embd",
    ".patch_merger",
    "a.rvq.codebook",
    "mm.a.code_embd",
)
"""Parts of the names of matrices that are never quantized: small, or of much weight."""

KEPT_NAMES = frozenset({"position_embd.weight", "token_types.weight"})
