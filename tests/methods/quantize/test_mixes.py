"""Which type each tensor of a GGUF gets: llama.cpp's choice, as it was seen, and what it costs a weight."""

import numpy as np
import pytest

from lineal.derivation.quantization import QuantizationType
from lineal.errors import MethodError
from lineal.methods.quantize.mix_table import MIXES
from lineal.methods.quantize.mixes import Wishes, types_of
from tests.mix_cases import CASES, grouped, llama, of, stored, written

SEEN = stored()


@pytest.mark.parametrize("name", CASES)
def test_every_tensor_gets_the_type_that_llama_cpp_gives_it(name: str) -> None:
    case = CASES[name]
    for scheme in MIXES:
        found = types_of(scheme, case.tensors, case.shape, case.wishes)
        assert grouped(written(found)) == SEEN[name][scheme], scheme


def test_what_was_seen_is_of_these_shapes_and_schemes() -> None:
    assert {name: set(schemes) for name, schemes in SEEN.items()} == {case: set(MIXES) for case in CASES}


WIDTH, AHEAD, ROWS, BLOCKS = 4096, 11008, 32000, 32


def llama_2_7b() -> dict[str, tuple[int, ...]]:
    """Llama-2-7B, from its config: an untied head, as many heads of keys as of queries."""
    found: dict[str, tuple[int, ...]] = dict.fromkeys(("token_embd.weight", "output.weight"), (ROWS, WIDTH))
    found["output_norm.weight"] = (WIDTH,)
    for block in range(BLOCKS):
        place = f"blk.{block}."
        found |= {f"{place}attn_{part}.weight": (WIDTH, WIDTH) for part in ("q", "k", "v", "output")}
        found |= {f"{place}ffn_{part}.weight": (AHEAD, WIDTH) for part in ("gate", "up")}
        found[f"{place}ffn_down.weight"] = (WIDTH, AHEAD)
        found |= {f"{place}{part}_norm.weight": (WIDTH,) for part in ("attn", "ffn")}
    return found


def bits_per_weight(scheme: str, wishes: Wishes | None = None) -> float:
    """Bytes of all tensors times eight over all elements, as llama.cpp prints it."""
    tensors, elements, size = llama_2_7b(), 0, 0.0
    for name, kind in types_of(scheme, tensors, llama(BLOCKS, 32, 32), wishes).items():
        count = int(np.prod(tensors[name]))
        elements, size = elements + count, size + count * QuantizationType.named(kind.lower()).bits_per_weight
    return size / elements


@pytest.mark.parametrize(
    ("scheme", "published"), [("q3_k_m", 3.91), ("q4_k_m", 4.84), ("q5_k_m", 5.68), ("q6_k", 6.56)]
)
def test_a_7b_takes_the_bits_that_llama_cpp_published(scheme: str, published: float) -> None:
    assert bits_per_weight(scheme) == pytest.approx(published, rel=0.005)


def test_q2_k_takes_what_was_published_with_the_mix_that_it_had_then() -> None:
    """Before 2024 ffn_gate and ffn_up were Q3_K (llama.cpp, pull request 5060), today they are Q2_K."""
    assert bits_per_weight("q2_k", Wishes([("ffn_(gate|up)", "Q3_K")])) == pytest.approx(3.35, rel=0.005)
    assert bits_per_weight("q2_k") == pytest.approx(3.006, rel=0.0005)


def test_a_matrix_of_one_row_is_a_vector() -> None:
    tensors = {"blk.0.attn_q.weight": (1, 256), "blk.0.ffn_up_exps.weight": (2, 1, 256)}
    assert list(types_of("q4_k_m", tensors, llama(1, 8, 8)).values()) == ["F32", "Q4_K"]


@pytest.mark.parametrize(
    "name", ["blk.0.attn_norm.weight", "blk.0.ffn_gate_inp.weight", "position_embd.weight", "blk.0.attn_q.scale"]
)
def test_what_llama_cpp_never_quantizes_stays_float32(name: str) -> None:
    assert types_of("q4_0", {name: (4, 256)}, llama(1, 8, 8)) == {name: "F32"}


def test_values_that_have_a_type_by_name_are_not_counted() -> None:
    """llama.cpp counts the projections that it mixes: q3_k_m gives the first two Q5_K."""
    tensors = {f"blk.{block}.attn_v.weight": (2, 256) for block in range(4)}
    found = types_of("q3_k_m", tensors, llama(4, 8, 8), Wishes([(r"blk\.0\.", "Q8_0")]))
    assert list(found.values()) == ["Q8_0", "Q5_K", "Q5_K", "Q4_K"]


@pytest.mark.parametrize("architecture", ["falcon", "glm5-next"])
def test_an_architecture_with_mixes_of_its_own_is_refused(architecture: str) -> None:
    with pytest.raises(MethodError, match=f"gguf: {architecture} has mixes of its own"):
        types_of("q4_0", {}, of(architecture, 1, 8, 8))


def test_a_type_by_name_that_no_matrix_has_is_refused() -> None:
    tensors = {"blk.0.attn_v.weight": (2, 256), "blk.0.attn_norm.weight": (256,)}
    with pytest.raises(MethodError, match=r"tensor_types: no matrix is left whose name has 'ffn', 'norm', 'v' in it"):
        types_of(
            "q4_0", tensors, llama(1, 8, 8), Wishes([("attn_v", "Q6_K"), *((p, "Q6_K") for p in ("ffn", "norm", "v"))])
        )


def test_a_type_of_the_head_whose_blocks_do_not_fit_its_rows_is_refused() -> None:
    """llama.cpp takes it as it is, and then cannot write the file."""
    with pytest.raises(MethodError, match=r"output.weight \[2, 96\] has rows of 96; Q6_K, asked for, has blocks"):
        types_of("q4_0", {"output.weight": (2, 96)}, llama(1, 8, 8), Wishes((), "Q6_K"))


def test_the_types_of_mixes_sum_them_up() -> None:
    found = {scheme: QuantizationType.of_scheme(scheme).name for scheme in MIXES}
    assert found == {scheme: mix.base for scheme, mix in MIXES.items()}
