"""What compares models takes GGUFs: adopt, find, diff and blame, on files that nobody remembers the making of."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from lineal.derivation.step import Kind
from lineal.family.build.run import run_family
from lineal.family.file.read import read_family
from lineal.family.origin.adopt import Answer, explain, keep
from lineal.family.origin.distance import measure
from lineal.family.session import Session, known
from lineal.lineage.questions.difference import Change, difference
from lineal.lineage.records.evidence import Evidence
from lineal.lineage.registry import Registry
from tests.builders import make_adapter, write_safetensors
from tests.family.conftest import write_family
from tests.family.test_gguf_derivations import in_parts
from tests.llamas import gguf_name, make_llama
from tests.trained_llamas import trained_like

UP = "model.layers.0.mlp.up_proj"
FAMILY = """
family: small
models:
  m: {original: {path: ./m}}
  q8.gguf: {quantize: {parent: m, scheme: q8_0}}
  q4.gguf: {quantize: {parent: q8.gguf, scheme: q4_0}}
  f32.gguf: {quantize: {parent: m, scheme: f32}}
  lean: {prune: {parent: q8.gguf, sparsity: 0.5}}
  a: {original: {path: ./a}}
  tuned: {merge: {parents: [a], base: q8.gguf, method: adapter}}
"""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The family, without a record of how any of it was made."""
    folder = tmp_path_factory.mktemp("made")
    write_safetensors(make_llama(folder / "m") / "model.safetensors", trained_like(1))
    generator = np.random.default_rng(31)
    pair = [0.02 * generator.standard_normal(shape).astype(np.float32) for shape in ((4, 64), (96, 4))]
    make_adapter(folder / "a", {UP: (pair[0], pair[1])})
    with Registry.open(folder / "registry.db") as registry:
        run_family(Session(registry, threads=2), read_family(write_family(folder, FAMILY)), folder / "models")
    for record in (*folder.glob("models/*lineal.json"), *folder.glob("models/*/lineal.json")):
        record.unlink()
    shutil.copytree(folder / "m", folder / "models" / "m")
    return folder / "models"


@pytest.fixture
def stranger(tmp_path: Path) -> Iterator[Session]:
    """Who knows nothing of it."""
    with Registry.open(tmp_path / "registry.db") as registry:
        yield Session(registry, threads=2)


def asked(session: Session, models: Path, unknown: str, *others: str) -> Answer:
    """Of a model, with others known."""
    for other in others:
        known(session, f"{models / other}")
    return explain(session, f"{models / unknown}")


@pytest.mark.parametrize(
    ("unknown", "parent", "kind", "options"),
    [
        ("q8.gguf", "m", "quantize", {"scheme": "q8_0"}),
        ("q4.gguf", "m", "quantize", {"scheme": "q4_0"}),
        ("q4.gguf", "q8.gguf", "quantize", {"scheme": "q4_0"}),
        ("lean", "q8.gguf", "prune", None),
        ("tuned", "q8.gguf", "fine-tune", {"rank": 4}),
    ],
)
def test_a_child_of_or_in_a_gguf_is_adopted(
    stranger: Session, models: Path, unknown: str, parent: str, kind: Kind, options: dict[str, object] | None
) -> None:
    answer = asked(stranger, models, unknown, parent)
    assert answer.best is not None
    assert answer.best.finding.kind == kind
    assert [local.path.name for _, local in answer.best.inputs] == [parent]
    assert options is None or answer.best.finding.options == options
    assert keep(stranger, answer) == ()
    (record,) = stranger.registry.steps_of(known(stranger, f"{models / unknown}"))
    assert record.evidence is Evidence.INFERRED


@pytest.mark.parametrize("unknown", ["lean", "tuned"])
def test_of_two_the_gguf_that_it_was_made_from_comes_first(stranger: Session, models: Path, unknown: str) -> None:
    answer = asked(stranger, models, unknown, "m", "q8.gguf", "q4.gguf")
    assert answer.best is not None
    assert [local.path.name for _, local in answer.best.inputs] == ["q8.gguf"]


def test_what_a_gguf_was_quantized_from_is_no_child_of_it(stranger: Session, models: Path) -> None:
    answer = asked(stranger, models, "m", "q8.gguf")
    assert [one.finding.relation.value for one in answer.ranking] == ["child"]


@pytest.mark.parametrize("file", ["f32.gguf", "q8.gguf"])
def test_distances_to_a_gguf_are_those_of_its_values_under_the_folders_names(
    stranger: Session, models: Path, file: str
) -> None:
    ends = [known(stranger, f"{models / name}") for name in ("m", file)]
    found = {distance.name: distance for distance in measure(stranger, ends[0], ends[1])}
    assert found.keys() == trained_like(1).keys()
    changed = {name for name, distance in found.items() if distance.norm}
    assert changed == (
        set[str]() if file == "f32.gguf" else {name for name, one in found.items() if len(one.shape) > 1}
    )
    assert all(distance.relative < 0.01 for distance in found.values())


def test_hashes_of_a_folder_and_a_gguf_are_compared_under_the_folders_names(stranger: Session, models: Path) -> None:
    ends = [known(stranger, f"{models / name}") for name in ("m", "f32.gguf")]
    there, back = (difference(stranger.registry, *pair) for pair in (ends, ends[::-1]))
    turned = {name for name in trained_like(1) if ".q_proj." in name or ".k_proj." in name}
    for found in (there, back):
        assert {tensor.name for tensor in found.tensors} == trained_like(1).keys()
        assert {tensor.name for tensor in found.of(Change.CHANGED)} == turned
    both = difference(stranger.registry, *(known(stranger, f"{models / name}") for name in ("q8.gguf", "q4.gguf")))
    assert {tensor.name for tensor in both.tensors} == {gguf_name(name) for name in trained_like(1)}


def test_models_of_a_folder_are_compared_one_in_parts_as_one(stranger: Session, models: Path, tmp_path: Path) -> None:
    shutil.copytree(models / "m", tmp_path / "there" / "m")
    shutil.copytree(in_parts(models / "q8.gguf", tmp_path / "parts").parent, tmp_path / "there" / "below")
    shutil.copytree(tmp_path / "parts", tmp_path / "there", dirs_exist_ok=True)
    answer = explain(stranger, f"{models / 'lean'}", [tmp_path / "there"])
    assert answer.best is not None
    assert len(answer.ranking) == 2
    assert answer.remarks == ()
