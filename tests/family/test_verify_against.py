"""A stranger's quantization is encoded again from its parent: equal to the byte, or the tensor is named."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lineal.checkpoint.codes.ggml import Encoding
from lineal.checkpoint.importance.files import read_importance, write_importance
from lineal.checkpoint.importance.matrix import Importance, ImportanceMatrix
from lineal.checkpoint.reader import open_checkpoint
from lineal.cli.against_lines import against_json, against_lines
from lineal.engines.parents.model import full_model
from lineal.engines.quantize.gguf_plan import plan_gguf
from lineal.errors import UsageError, VerificationFailed
from lineal.family.origin.add import add_folder
from lineal.family.session import Session
from lineal.family.trust.against import Against, Answer, verify_against
from lineal.lineage.records.evidence import Evidence
from lineal.methods.quantize.gguf import GgufQuantization
from tests.builders import Array
from tests.engines.quantizations import LLAMA3, quantize, write
from tests.engines.quantizations import plan as plan_of
from tests.ggufs import TEXT, Typed, write_gguf
from tests.llamas import CONFIG, gguf_name, llama_tensors, make_llama, permuted

EMBEDDING, DOWN = "token_embd.weight", "blk.1.ffn_down.weight"


@pytest.fixture
def parent(tmp_path: Path) -> Path:
    return make_llama(tmp_path / "parent", vocab_size=272)


def stranger(
    place: Path,
    kinds: Callable[[str], str] = lambda name: "Q8_0",
    change: Callable[[str, Array], Array] = lambda name, values: values,
    metadata: Mapping[str, Typed] | None = None,
    seed: int = 1,
) -> Path:
    """The parent's weights as gguf-py writes them."""
    tensors: dict[str, tuple[Array, str]] = {}
    for name, values in llama_tensors(CONFIG, seed).items():
        heads = {"q": CONFIG["num_attention_heads"], "k": CONFIG["num_key_value_heads"]}
        turned = next((permuted(values, n) for key, n in heads.items() if f".{key}_proj." in name), values)
        kind = "F32" if values.ndim == 1 else kinds(gguf_name(name))
        tensors[gguf_name(name)] = np.ascontiguousarray(change(gguf_name(name), turned)), kind
    return write_gguf(place, tensors, metadata or {"general.architecture": (TEXT, "llama")})


def against(session: Session, file: Path, parent: Path) -> Against:
    return verify_against(session, f"{file}", f"{parent}")


@pytest.mark.parametrize("kind", ["F32", "F16", "BF16", "Q8_0", "Q4_0"])
def test_what_another_tool_made_of_the_parent_is_replayed(
    session: Session, parent: Path, tmp_path: Path, kind: str
) -> None:
    found = against(session, stranger(tmp_path / "it.gguf", lambda name: kind), parent)
    assert found.answer is Answer.REPLAYED
    assert len(found.tensors) == len(llama_tensors(CONFIG))
    assert not found.differing


def test_one_block_that_is_otherwise_names_its_tensor(session: Session, parent: Path, tmp_path: Path) -> None:
    def changed(name: str, values: Array) -> Array:
        return np.where(np.arange(values.size).reshape(values.shape) == 40, 9, values) if name == DOWN else values

    found = against(session, stranger(tmp_path / "it.gguf", change=changed), parent)
    (tensor,) = found.differing
    assert found.answer is Answer.DIFFERS
    assert (tensor.name, tensor.blocks - tensor.equal) == (DOWN, 1)
    assert DOWN in found.why
    assert any(DOWN in line and f"{tensor.equal} of {tensor.blocks} blocks" in line for line in against_lines(found))


def test_another_model_of_the_same_shapes_is_no_parent(session: Session, parent: Path, tmp_path: Path) -> None:
    found = against(session, stranger(tmp_path / "it.gguf", lambda name: "Q4_0", seed=2), parent)
    assert found.answer is Answer.DIFFERS
    assert "further from the parent's" in found.why


def test_the_converters_file_is_found_out_by_what_it_rounded(session: Session, parent: Path, tmp_path: Path) -> None:
    """float32 weights whose q8_0 was made from a float16 GGUF, as llama.cpp's users do."""

    def through_f16(name: str, values: Array) -> Array:
        return values.astype(np.float16).astype(np.float32) if values.ndim > 1 else values

    found = against(session, stranger(tmp_path / "it.gguf", change=through_f16), parent)
    assert found.answer is Answer.REPLAYED
    assert {variant.source for variant in found.variants} == {"F16"}
    assert "from f16" in found.why


def test_an_importance_matrix_that_is_not_here_leaves_it_undecided(
    session: Session, parent: Path, tmp_path: Path
) -> None:
    def elsewhere_rounded(name: str, values: Array) -> Array:
        return values * np.float32(1 + 2**-9) if name == DOWN else values

    named: dict[str, Typed] = {
        "general.architecture": (TEXT, "llama"),
        "quantize.imatrix.file": (TEXT, "their.imatrix"),
    }
    file = stranger(tmp_path / "it.gguf", lambda name: "Q4_0", elsewhere_rounded, named)
    found = against(session, file, parent)
    assert found.answer is Answer.UNDECIDED
    assert "their.imatrix" in found.why
    assert [tensor.name for tensor in found.differing] == [DOWN]


def test_a_type_that_an_importance_matrix_leaves_alone_decides(session: Session, parent: Path, tmp_path: Path) -> None:
    def moved(name: str, values: Array) -> Array:
        return values * np.float32(1 + 2**-9) if name == DOWN else values

    assert against(session, stranger(tmp_path / "it.gguf", change=moved), parent).answer is Answer.DIFFERS


def test_tensors_that_are_missing_or_of_another_shape_are_named(session: Session, parent: Path, tmp_path: Path) -> None:
    cut = write_gguf(
        tmp_path / "cut.gguf",
        {EMBEDDING: (np.zeros((8, 64), np.float32), "F32")},
        {"general.architecture": (TEXT, "llama")},
    )
    with pytest.raises(VerificationFailed, match=r"no quantization of parent: .*token_embd.weight.* is \[8, 64\]"):
        against(session, cut, parent)


def test_a_folder_is_no_file_to_make_again(session: Session, parent: Path) -> None:
    with pytest.raises(UsageError, match="makes GGUFs again"):
        against(session, parent, parent)


def test_keys_that_the_parent_gives_otherwise_are_told(session: Session, parent: Path, tmp_path: Path) -> None:
    metadata: dict[str, Typed] = {
        "general.architecture": (TEXT, "llama"),
        "tokenizer.chat_template": (TEXT, "{{ something else }}"),
        "tokenizer.ggml.model": (TEXT, "llama"),
    }
    found = against(session, stranger(tmp_path / "it.gguf", metadata=metadata), parent)
    assert found.answer is Answer.REPLAYED
    assert [remark.partition(":")[0].partition(" ")[0] for remark in found.remarks] == [
        "tokenizer.chat_template",
        "tokenizer.ggml.model",
    ]


def test_an_edge_between_known_models_is_replayed_in_the_lineage(
    session: Session, parent: Path, tmp_path: Path
) -> None:
    file = stranger(tmp_path / "it.gguf")
    assert not against(session, file, parent).recorded
    child, source = add_folder(session, file).model_hash, add_folder(session, parent).model_hash
    assert against(session, file, parent).recorded
    (step,) = [one for one in session.registry.steps_of(child) if one.step.inputs]
    assert (step.evidence, step.share) == (Evidence.REPLAYED, 1.0)
    assert [used.model_hash for used in step.step.inputs] == [source]
    assert against(session, file, parent).recorded
    assert len([one for one in session.registry.steps_of(child) if one.step.inputs]) == 1


def test_what_lineal_made_is_made_again_too(session: Session, parent: Path, tmp_path: Path) -> None:
    file = quantize(parent, tmp_path / "out", "q4_0")
    found = against(session, file, parent)
    assert found.answer is Answer.REPLAYED
    assert found.remarks == ()
    told = against_json(found)
    assert told["answer"] == "replayed"
    assert all(tensor["equal"] == tensor["blocks"] for tensor in told["tensors"])


WIDE = {**CONFIG, "hidden_size": 256, "intermediate_size": 256, "head_dim": 64}


def wide(tmp_path: Path) -> Path:
    return make_llama(tmp_path / "wide", **WIDE)


def measured(place: Path, seed: int = 5) -> Path:
    """An importance matrix of random squares for every matrix in the blocks."""
    random = np.random.default_rng(seed)
    names = [gguf_name(name) for name, values in llama_tensors(WIDE).items() if values.ndim > 1]
    entries: dict[str, Importance] = {}
    for name in names:
        if name.startswith("blk."):
            entries[name] = Importance(random.random((1, 256)).astype(np.float32) * 8, np.array([7]))
    write_importance(place, ImportanceMatrix(entries, ("text.txt",), 1, 512))
    return place


@pytest.mark.parametrize("scheme", ["q4_k_m", "q2_k", "iq4_xs"])
def test_with_its_importance_matrix_a_quantization_is_made_again(session: Session, tmp_path: Path, scheme: str) -> None:
    parent, matrix = wide(tmp_path), measured(tmp_path / "their.imatrix")
    file = quantize_with(parent, tmp_path / "out", scheme, matrix)
    assert verify_against(session, f"{file}", f"{parent}", matrix).answer is Answer.REPLAYED
    without = verify_against(session, f"{file}", f"{parent}")
    assert without.answer is Answer.UNDECIDED
    assert "'their.imatrix': --imatrix FILE" in without.why
    another = verify_against(session, f"{file}", f"{parent}", measured(tmp_path / "another", seed=6))
    assert another.answer is Answer.UNDECIDED
    assert "with this importance matrix other blocks are made" in another.why


def test_a_build_that_fuses_is_found_out_by_its_bytes(session: Session, tmp_path: Path) -> None:
    parent = wide(tmp_path)
    planned = plan_of(parent, "q4_k_m").each(lambda job: replace(job, encoding=Encoding(fused=True)))
    write(planned, tmp_path / "out")
    (file,) = (tmp_path / "out").glob("*.gguf")
    found = verify_against(session, f"{file}", f"{parent}")
    assert found.answer is Answer.REPLAYED
    assert {variant.fused for variant in found.variants} == {True}
    assert "GCC on x86-64 with FMA" in found.why


def quantize_with(parent: Path, out: Path, scheme: str, matrix: Path) -> Path:
    model = full_model(parent.name, open_checkpoint(parent))
    write(plan_gguf(GgufQuantization(scheme=scheme), model, read_importance(matrix)), out)
    (file,) = out.glob("*.gguf")
    return file


@pytest.mark.parametrize(("off", "answer"), [(3e-7, Answer.REPLAYED), (3e-6, Answer.DIFFERS)])
def test_last_bits_of_rotary_divisors_are_each_platforms_own(
    session: Session, tmp_path: Path, off: float, answer: Answer
) -> None:
    """llama.cpp's converter works them out in float32, with torch's powers."""
    parent = make_llama(tmp_path / "llama3", rope_parameters={"rope_theta": 1e4, **LLAMA3})
    file = quantize(parent, tmp_path / "out", "q8_0")
    spec, content = open_checkpoint(file)["rope_freqs.weight"], bytearray(file.read_bytes())
    there = slice(spec.offset, spec.offset + spec.byte_length)
    content[there] = (np.frombuffer(content[there], np.float32) * np.float32(1 + off)).tobytes()
    _ = file.write_bytes(content)
    found = against(session, file, parent)
    assert found.answer is answer
    assert any("rope_freqs.weight" in told and "last bits" in told for told in found.remarks) is (
        answer is Answer.REPLAYED
    )
