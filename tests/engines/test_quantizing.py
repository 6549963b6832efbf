"""A Llama becomes a GGUF: bit for bit what gguf-py makes of it."""

from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from lineal.checkpoint.headers.gguf_metadata import gguf_package
from lineal.checkpoint.reader import open_checkpoint
from lineal.engines.quantize.gguf_plan import gguf_tensors
from lineal.engines.stream import tensor_pass
from lineal.engines.stream.engine import stream
from lineal.engines.stream.jobs import Recomputation
from lineal.methods.quantize.gguf import GgufQuantization
from tests.builders import Array, make_adapter, make_checkpoint, random_tensors, read_folder, write_json
from tests.engines.quantizations import LLAMA3, Q, plan, quantize
from tests.llamas import CONFIG, SCHEMES_OF_GGUF_PY, in_gguf, llama_tensors, make_llama, read_gguf

BF16 = ml_dtypes.bfloat16

every_scheme = pytest.mark.parametrize("scheme", SCHEMES_OF_GGUF_PY)


def same(found: dict[str, tuple[str, Array]], expected: dict[str, tuple[str, Array]]) -> bool:
    return found.keys() == expected.keys() and all(
        found[name][0] == kind and np.array_equal(found[name][1], stored) for name, (kind, stored) in expected.items()
    )


@every_scheme
@pytest.mark.parametrize("dtype", [np.float32, np.float16, BF16])
@pytest.mark.parametrize("tied", [False, True])
def test_every_tensor_is_what_gguf_py_makes_of_it(tmp_path: Path, scheme: str, dtype: Any, tied: bool) -> None:
    parent = make_llama(tmp_path / "m", dtype=dtype, tie_word_embeddings=tied)
    found, _ = read_gguf(quantize(parent, tmp_path / "q", scheme))
    assert same(found, in_gguf(read_folder(parent), {**CONFIG, "tie_word_embeddings": tied}, scheme))


@every_scheme
@pytest.mark.parametrize(
    "shape",
    [
        {"num_key_value_heads": 4},
        {"num_key_value_heads": 1},
        {"head_dim": 32, "num_attention_heads": 3, "num_key_value_heads": 1},
        {"attention_bias": True, "mlp_bias": True},
        {"hidden_size": 1024, "num_attention_heads": 4, "head_dim": 256, "num_hidden_layers": 1},
    ],
)
def test_heads_of_any_number_and_size_keep_their_rows_together(
    tmp_path: Path, scheme: str, shape: dict[str, Any]
) -> None:
    parent = make_llama(tmp_path / "m", **shape)
    found, _ = read_gguf(quantize(parent, tmp_path / "q", scheme))
    expected = in_gguf(read_folder(parent), {**CONFIG, **shape}, scheme)
    if found["output.weight"][0] == "Q6_K":  # of rows of 1024; gguf-py does not write it
        del found["output.weight"], expected["output.weight"]
    assert same(found, expected)


@every_scheme
def test_an_adapter_is_added_in_float32_and_rounded_once(tmp_path: Path, scheme: str) -> None:
    parent = make_llama(tmp_path / "m", dtype=BF16)
    pair = random_tensors(7, {"a": (2, 64), "b": (64, 2)})
    adapter = make_adapter(tmp_path / "adapter", {Q: (pair["a"], pair["b"])}, lora_alpha=1)
    wide = {name: values.astype(np.float32) for name, values in read_folder(parent).items()}
    scaled = np.float32(0.5) * pair["b"]
    wide[f"{Q}.weight"] += scaled[:, :1] * pair["a"][:1] + scaled[:, 1:] * pair["a"][1:]
    found, _ = read_gguf(quantize(parent, tmp_path / "q", scheme, adapter))
    assert same(found, in_gguf(wide, CONFIG, scheme))


@every_scheme
def test_threads_shards_and_windows_do_not_change_a_byte(
    tmp_path: Path, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = quantize(make_llama(tmp_path / "m"), tmp_path / "q", scheme, threads=1).read_bytes()
    sharded = make_llama(tmp_path / "other" / "m", shards=5)
    assert quantize(sharded, tmp_path / "threads", scheme, threads=3).read_bytes() == expected
    for window in (32, 4096):
        monkeypatch.setattr(tensor_pass, "WINDOW_ELEMENTS", window)
        assert quantize(sharded, tmp_path / str(window), scheme).read_bytes() == expected


def test_a_recomputation_has_the_hashes_of_the_file(tmp_path: Path) -> None:
    parent = make_llama(tmp_path / "m")
    file, recomputed, planned = quantize(parent, tmp_path / "q", "q4_0"), Recomputation(), plan(parent, "q4_0")
    stream(planned.jobs, recomputed)
    checkpoint = open_checkpoint(file)
    assert recomputed.leaves.keys() == checkpoint.keys()
    assert planned.child.package() == gguf_package(checkpoint.metadata)


def test_every_byte_of_the_parent_is_read_and_hashed_once(tmp_path: Path) -> None:
    parent = make_llama(tmp_path / "m")
    planned, read, weights = plan(parent, "q8_0"), list[int](), open_checkpoint(parent)
    hashes = stream(planned.jobs, Recomputation(), bytes_done=read.append)
    assert sum(read) == planned.bytes_read == weights.tensor_bytes
    assert hashes[str(parent / "model.safetensors")].keys() == weights.keys()


@every_scheme
def test_what_is_planned_is_what_is_forecast(tmp_path: Path, scheme: str) -> None:
    for tied in (False, True):
        parent = make_llama(tmp_path / f"m{tied}", tie_word_embeddings=tied)
        stored, config = list(read_folder(parent)), {**CONFIG, "tie_word_embeddings": tied}
        assert gguf_tensors(GgufQuantization(scheme=scheme), config, stored, "m") == plan(parent, scheme).planned


def test_the_licence_comes_along_and_nothing_else(tmp_path: Path) -> None:
    parent = make_llama(tmp_path / "m")
    (parent / "LICENSE").write_text("free")
    (parent / "README.md").write_text("---\nlicense: apache-2.0\n---\n# m\n")
    file = quantize(parent, tmp_path / "q")
    assert {path.name for path in file.parent.iterdir()} == {file.name, "LICENSE"}
    assert read_gguf(file)[1]["general.license"] == "apache-2.0"


def test_several_licences_come_along_together(tmp_path: Path) -> None:
    parent = make_llama(tmp_path / "m")
    (parent / "README.md").write_text("---\nlicense: [mit, apache-2.0]\n---\n")
    assert read_gguf(quantize(parent, tmp_path / "q"))[1]["general.license"] == "mit AND apache-2.0"


@pytest.mark.parametrize(
    "card", ["no front matter", "---\n: : [\n---\n", "---\n- a list\n---\n", "---\nlicense: [1]\n---\n"]
)
def test_a_card_without_a_licence_says_nothing(tmp_path: Path, card: str) -> None:
    parent = make_llama(tmp_path / "m")
    (parent / "README.md").write_text(card)
    assert "general.license" not in read_gguf(quantize(parent, tmp_path / "q"))[1]


def test_the_keys_are_those_of_llama_cpp_s_converter(tmp_path: Path) -> None:
    parent = make_llama(tmp_path / "m", rope_theta=500000.0, bos_token_id=0)
    write_json(parent / "generation_config.json", {"temperature": 0.5, "top_k": 20, "top_p": 0.75, "eos_token_id": 1})
    _, fields = read_gguf(quantize(parent, tmp_path / "q", "q4_0"))
    tokens, kinds, merges = (fields.pop(f"tokenizer.ggml.{key}") for key in ("tokens", "token_type", "merges"))
    assert fields == {
        "general.architecture": "llama",
        "general.file_type": 2,
        "general.name": "m",
        "general.quantization_version": 2,
        "general.size_label": "97K",
        "general.sampling.temp": 0.5,
        "general.sampling.top_k": 20,
        "general.sampling.top_p": 0.75,
        "general.type": "model",
        "llama.attention.head_count": 4,
        "llama.attention.head_count_kv": 2,
        "llama.attention.key_length": 16,
        "llama.attention.layer_norm_rms_epsilon": np.float32(1e-5),
        "llama.attention.value_length": 16,
        "llama.block_count": 2,
        "llama.context_length": 128,
        "llama.embedding_length": 64,
        "llama.feed_forward_length": 96,
        "llama.rope.dimension_count": 16,
        "llama.rope.freq_base": 500000.0,
        "llama.vocab_size": 272,
        "tokenizer.ggml.add_bos_token": False,
        "tokenizer.ggml.add_eos_token": False,
        "tokenizer.ggml.add_space_prefix": False,
        "tokenizer.ggml.bos_token_id": 0,
        "tokenizer.ggml.eos_token_id": 0,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
    }
    assert (tokens[0], tokens[264], tokens[265], tokens[271]) == ("<|endoftext|>", "ĠĠ", "[PAD265]", "[PAD271]")
    assert kinds == [3, *[1] * 264, *[5] * 7]
    assert merges[2] == "Ġt he"


def test_linear_scaling_stands_in_the_keys(tmp_path: Path) -> None:
    parent = make_llama(tmp_path / "m", rope_scaling={"type": "linear", "factor": 4.0})
    tensors, fields = read_gguf(quantize(parent, tmp_path / "q"))
    assert (fields["llama.rope.scaling.type"], fields["llama.rope.scaling.factor"]) == ("linear", 4.0)
    assert "rope_freqs.weight" not in tensors


def test_llama3_scaling_is_a_tensor_of_divisors(tmp_path: Path) -> None:
    parent = make_llama(tmp_path / "m", rope_theta=100.0, rope_scaling=LLAMA3)
    planned = plan(parent, "q4_0")
    tensors, fields = read_gguf(quantize(parent, tmp_path / "q", "q4_0"))
    kind, stored = tensors["rope_freqs.weight"]
    assert kind == "F32"
    assert stored.view(np.float32).tolist()[:1] == [1.0]
    assert stored.view(np.float32).tolist()[-1:] == [8.0]
    assert "llama.rope.scaling.type" not in fields
    config = {**CONFIG, "rope_theta": 100.0, "rope_scaling": LLAMA3}
    assert gguf_tensors(GgufQuantization(scheme="q4_0"), config, list(llama_tensors(CONFIG)), "m") == planned.planned


def test_a_buffer_of_old_checkpoints_is_left_out(tmp_path: Path) -> None:
    tensors = llama_tensors(CONFIG) | {"model.layers.0.self_attn.rotary_emb.inv_freq": np.ones(8, np.float32)}
    make_checkpoint(tmp_path / "m", tensors, CONFIG)
    parent = make_llama(tmp_path / "tokenizer")
    (tmp_path / "m" / "tokenizer.json").write_bytes((parent / "tokenizer.json").read_bytes())
    write_json(tmp_path / "m" / "tokenizer_config.json", {"eos_token": "<|endoftext|>"})
    assert len(plan(tmp_path / "m").jobs) == len(tensors) - 1
