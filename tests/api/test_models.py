"""Models in Python: what a verb does, a function does, and what comes back answers for itself."""

from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file

import lineal
from lineal.cli.entry import main
from lineal.methods.merge.ties import Ties
from tests.builders import make_checkpoint, random_tensors
from tests.llamas import make_llama

SHAPES = {"model.norm.weight": (8,), "model.layers.0.mlp.up_proj.weight": (16, 8)}
SMALL = {"hidden_size": 32, "intermediate_size": 32, "num_attention_heads": 2, "num_key_value_heads": 1}


@pytest.fixture
def kitchen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LINEAL_REGISTRY", "registry.db")
    for seed, name in enumerate("abc"):
        make_checkpoint(tmp_path / name, random_tensors(seed, SHAPES))
    return tmp_path


def test_a_merge_is_that_of_the_verb_and_knows_its_parents(kitchen: Path) -> None:
    merged = lineal.merge([Path("a"), "./b"], method="ties", base="./c", density=0.5, out="child")
    arrays = [load_file(f"{name}/model.safetensors") for name in "abc"]
    for name, tensor in merged.items():
        expected = Ties(density=0.5)([arrays[0][name], arrays[1][name]], base=arrays[2][name], name=name)
        np.testing.assert_array_equal(tensor.numpy(), expected)
    assert main(("merge", "./a", "./b", "--method", "ties", "--base", "./c", "--density", "0.5", "--out", "again")) == 0
    assert lineal.open("again").hash == lineal.open("./again").hash == merged.hash
    assert [(parent.role, parent.name) for parent in merged.parents] == [
        ("base", "c"),
        ("parent", "a"),
        ("parent", "b"),
    ]
    assert merged.parents[1].open().hash == merged.parents[1].hash == lineal.open("./a").hash
    assert merged.why()[-1].startswith(("child was merged from a and b", "again was merged from a and b"))
    verdict = merged.verify()
    assert (verdict.ok, verdict.recomputed, verdict.faults) == (True, 2, ())


def test_a_method_is_a_name_or_a_method_with_options_beside_it(kitchen: Path) -> None:
    named = lineal.merge(["./a", "./b"], method="linear", weights=[0.25, 0.75], out="one")
    given = lineal.merge(["./a", "./b"], method=lineal.Linear(weights=(0.25, 0.75)), out="two")
    assert named.hash == given.hash
    both = lineal.merge(["./a", "./b"], method=lineal.Linear(), weights=(0.25, 0.75), out="three")
    assert both.hash == named.hash


def test_a_model_that_nobody_knows_answers_from_its_own_record(kitchen: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    merged = lineal.merge(["./a", "./b"], out="child")
    monkeypatch.setenv("LINEAL_REGISTRY", "elsewhere.db")
    found = lineal.open("./child")
    assert found.verify().ok
    assert [parent.hash for parent in found.parents] == [parent.hash for parent in merged.parents]
    assert not Path("elsewhere.db").exists()


def test_tensors_come_as_they_are_stored(kitchen: Path) -> None:
    stored = {
        "half": np.arange(6, dtype=np.float16).reshape(2, 3),
        "brain": np.arange(6, dtype=np.float32).reshape(2, 3).astype(ml_dtypes.bfloat16),
        "count": np.arange(3, dtype=np.int64),
        "empty": np.zeros((0, 4), np.float32),
    }
    model = lineal.open(make_checkpoint(kitchen / "kinds", stored))
    assert (set(model), len(model)) == (set(stored), 4)
    for name, values in stored.items():
        tensor = model[name]
        assert (tensor.shape, tensor.nbytes, tensor.numpy().dtype) == (values.shape, values.nbytes, values.dtype)
        np.testing.assert_array_equal(tensor.numpy(), values)
        assert tuple(tensor.torch().shape) == values.shape
        np.testing.assert_array_equal(tensor.torch().double().numpy(), values.astype(np.float64))
    with pytest.raises(KeyError):
        _ = model["none"]


def test_a_pruned_and_a_quantized_model(kitchen: Path) -> None:
    llama = make_llama(kitchen / "llama", seed=1, dtype=np.float32, **SMALL)
    lean = lineal.prune(llama, sparsity=0.5, out="lean")
    name = "model.layers.0.mlp.up_proj.weight"
    assert (lean[name].numpy() == 0).mean() == 0.5
    packed = lineal.quantize(lean, scheme="q8_0", out="lean.gguf")
    assert (packed.form, packed.path.name) == ("gguf", "lean.gguf")
    assert packed.metadata["general.architecture"] == "llama"
    block = packed["blk.0.ffn_up.weight"]
    assert block.dtype == "Q8_0"
    np.testing.assert_allclose(block.numpy(), lean[name].numpy(), atol=0.02)
    assert packed.parents[0].hash == lean.hash
    with pytest.raises(lineal.CheckpointError, match=r"no config\.json"):
        _ = packed.config


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: lineal.open("./none"), lineal.CheckpointError, "none: no such folder or GGUF"),
        (lambda: lineal.open("none"), lineal.UsageError, "'none'"),
        (lambda: lineal.merge(["./a", "./b"], dencity=1, out="x"), lineal.MethodError, "dencity"),
        (lambda: lineal.merge(["./a", "./b"], method="tise", out="x"), lineal.MethodError, "did you mean ties"),
        (lambda: lineal.prune("./a", sparsity=2, out="x"), lineal.MethodError, "sparsity"),
        (lambda: lineal.run("none.yaml"), lineal.UsageError, "none.yaml"),
        (lambda: lineal.evaluate("./a", data=["none.txt"]), FileNotFoundError, "none.txt"),
        (lambda: lineal.registry("none.db"), lineal.RegistryError, "none.db"),
    ],
)
def test_errors_are_those_of_the_verbs(kitchen: Path, call, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        call()
    assert not Path("x").exists()


def test_a_family_is_built_and_planned(kitchen: Path) -> None:
    Path("family.yaml").write_text(
        "family: small\nmodels:\n  a: {original: {path: ./a}}\n  b: {original: {path: ./b}}\n"
        "  mean: {merge: {parents: [a, b], method: linear}}\n"
    )
    (planned,) = (model for model in lineal.plan() if model.name == "mean")
    assert planned.status == "to build"
    built = lineal.run()
    assert list(built) == ["a", "b", "mean"]
    assert built["mean"].names == ("small:mean",)
    with lineal.registry() as registry:
        assert registry.resolve("small:mean") is not None
    assert lineal.open("small:mean").hash == built["mean"].hash


class Told:
    """A progress that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.titles: list[str] = []

    def say(self, message: str) -> None:
        self.lines.append(message)

    def task(self, title: str, total: int, unit: str):
        from contextlib import nullcontext

        self.titles.append(title)
        return nullcontext(lambda amount, note="": None)


def test_progress_is_told_to_who_asks(kitchen: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = Told()
    lineal.merge(["./a", "./b"], out="child", progress=told)
    assert "merging child" in told.titles
    assert any(line.startswith("child: done in") for line in told.lines)
    assert capsys.readouterr() == ("", "")
