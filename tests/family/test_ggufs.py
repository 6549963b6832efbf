"""A model that is one file: built, found again, verified, replaced, moved and added as a folder is."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from gguf import GGUFReader

from lineal.checkpoint.reader import open_checkpoint
from lineal.checkpoint.written.publish import REPLACED
from lineal.derivation.hashes import format_hash
from lineal.errors import CheckpointError, UsageError
from lineal.family.build.one_off import method_from_words
from lineal.family.build.run import run_family
from lineal.family.file.read import read_family
from lineal.family.file.recipe import Reference
from lineal.family.origin.add import add_folder
from lineal.family.session import LocalModel, Session
from lineal.family.trust.verify import verify_folder, verify_references
from lineal.lineage.records.evidence import Evidence
from lineal.lineage.records.lineal_json import read_provenance, record_path
from lineal.lineage.registry import Registry
from lineal.methods.quantize.gguf import GgufQuantization
from tests.engines.tiny_models import make_model
from tests.family.conftest import derive_one, write_family
from tests.family.test_verify import flip
from tests.ggufs import random_gguf

FAMILY = """
family: small
models:
  m: {original: {path: ./m}}
  q8: {quantize: {parent: m, scheme: q8_0}}
  q4.gguf: {quantize: {parent: m, scheme: q4_0}}
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("parent") / "m", hidden_size=64, intermediate_size=96)


@pytest.fixture
def parent(model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(model, tmp_path / "m"))


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Session]:
    """A session that knows nothing yet."""
    with Registry.open(tmp_path / "other" / "registry.db") as registry:
        yield Session(registry, threads=1)


def quantize(session: Session, parent: Path, out: Path, scheme: str = "q8_0") -> LocalModel:
    method = GgufQuantization(scheme=scheme)
    return derive_one(session, "quantize", method, [Reference("parent", f"{parent}")], out)


def faults(session: Session, place: Path) -> tuple[str, ...]:
    (verdict,) = verify_references(session, [f"{place}"])
    return verdict.faults


def test_a_file_is_built_with_its_record_beside_it_and_nothing_else(
    session: Session, parent: Path, tmp_path: Path
) -> None:
    local = quantize(session, parent, tmp_path / "out" / "x.gguf")
    assert local.path == tmp_path / "out" / "x.gguf"
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"x.gguf", "x.gguf.lineal.json", ".locks"}
    assert len(GGUFReader(local.path).tensors) == len(local.checkpoint)
    provenance = read_provenance(local.path)
    assert provenance is not None
    assert (provenance.form, provenance.hashes) == ("gguf", local.hashes)
    assert session.registry.locations(local.model_hash) == (local.path,)
    assert [str(name) for name in session.registry.names("out")] == ["out:x.gguf"]


def test_a_file_that_is_there_is_up_to_date(session: Session, parent: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.gguf"
    first = quantize(session, parent, out)
    written = out.stat().st_mtime_ns
    assert quantize(session, parent, out).model_hash == first.model_hash
    assert out.stat().st_mtime_ns == written


def test_a_file_does_not_take_the_name_of_the_folder_that_it_was_made_from(
    session: Session, parent: Path, tmp_path: Path
) -> None:
    add_folder(session, parent)
    quantize(session, parent, tmp_path / "m.gguf")
    assert {name.name for name in session.registry.names(tmp_path.name)} == {"m", "m.gguf"}


def test_a_family_has_ggufs_in_folders_and_where_their_name_says_so_as_files(
    session: Session, parent: Path, tmp_path: Path
) -> None:
    family = read_family(write_family(tmp_path, FAMILY))
    built = run_family(session, family, tmp_path / "models")
    folder, file = tmp_path / "models" / "q8", tmp_path / "models" / "q4.gguf"
    assert {path.name for path in folder.iterdir()} == {"q8.gguf", "lineal.json", "README.md"}
    assert "library_name: gguf\n" in (folder / "README.md").read_text()
    assert (built["q8"].path, built["q4.gguf"].path) == (folder, file)
    verdicts = list(verify_references(session, [], "small"))
    assert all(verdict.ok for verdict in verdicts)
    assert [verdict.recomputed for verdict in verdicts] == [0, len(built["q8"].checkpoint), len(built["q8"].checkpoint)]
    times = (folder.stat().st_mtime_ns, file.stat().st_mtime_ns)
    run_family(session, family, tmp_path / "models")
    assert (folder.stat().st_mtime_ns, file.stat().st_mtime_ns) == times


def test_a_file_and_a_folder_of_one_recipe_are_one_model(session: Session, parent: Path, tmp_path: Path) -> None:
    file = quantize(session, parent, tmp_path / "x.gguf")
    folder = quantize(session, parent, tmp_path / "x")
    assert file.model_hash == folder.model_hash
    assert session.registry.locations(file.model_hash) == (tmp_path / "x", tmp_path / "x.gguf")


def test_a_bit_that_flips_anywhere_is_found(session: Session, parent: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.gguf"
    local = quantize(session, parent, out)
    assert faults(session, out) == ()
    specs = list(local.checkpoint.values())
    padded = next(s for s in specs if s.byte_length % 32)
    named = {
        specs[3].offset + 40: f"tensor {specs[3].name!r} differs",
        out.read_bytes().index(b"general.name") + 24: "file x.gguf differs from the record",
        padded.offset + padded.byte_length: "file x.gguf differs from the record",
    }
    for position, fault in named.items():
        flip(out, position)
        assert [found.partition(": ")[2].startswith(fault) for found in faults(session, out)] == [True]
        flip(out, position)
    flip(record_path(out), 200)
    assert "x.gguf.lineal.json" in faults(session, out)[0]


def test_a_changed_key_is_named(session: Session, parent: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.gguf"
    quantize(session, parent, out)
    content = out.read_bytes()
    flip(out, content.index(b"llama.block_count") + len("llama.block_count") + 4)
    assert [fault.partition(": ")[2] for fault in faults(session, out)] == [
        "metadata llama.block_count differs from the record",
        "file x.gguf differs from the record",
    ]


def test_a_file_that_is_replaced_is_kept_aside_and_stays_known(session: Session, parent: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.gguf"
    first = quantize(session, parent, out, "q8_0")
    second = quantize(session, parent, out, "q4_0")
    aside = tmp_path / REPLACED / f"x.gguf-{format_hash(first.model_hash)[3:15]}" / "x.gguf"
    assert first.model_hash != second.model_hash == session.identify(session.open("x", out)).model_hash
    assert session.by_hash(first.model_hash).path == aside
    assert verify_folder(session, aside).ok


def test_a_damaged_file_is_made_anew(session: Session, parent: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.gguf"
    first = quantize(session, parent, out)
    content = out.read_bytes()
    os.truncate(out, 1000)
    assert quantize(session, parent, out).model_hash == first.model_hash
    assert out.read_bytes() == content
    assert (tmp_path / REPLACED / "x.gguf-unreadable" / "x.gguf").stat().st_size == 1000


@pytest.mark.parametrize("crash_at", [1, 2, 3])
def test_a_crash_while_it_is_published_is_finished_by_the_same_command(
    session: Session, parent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, crash_at: int
) -> None:
    out = tmp_path / "x.gguf"
    old = quantize(session, parent, out, "q8_0")
    rename, renamed = Path.rename, list[Path]()

    def crash(self: Path, to: Path) -> Path:
        if out.parent in (Path(to).parent, self.parent):  # not the one that gives the file its name
            renamed.append(self)
        if len(renamed) == crash_at:
            raise KeyboardInterrupt
        return rename(self, to)

    monkeypatch.setattr(Path, "rename", crash)
    with pytest.raises(KeyboardInterrupt):
        quantize(session, parent, out, "q4_0")
    monkeypatch.undo()
    new = quantize(session, parent, out, "q4_0")
    assert verify_folder(session, out).ok
    assert {path.name for path in tmp_path.iterdir() if path.name.startswith(".x")} == set()
    kept = [path for path in (tmp_path / REPLACED).glob("*/x.gguf") if read_provenance(path)]
    assert [session.identify(session.open("x", path)).model_hash for path in kept] == [old.model_hash]
    assert new.model_hash != old.model_hash


def test_a_file_that_lineal_did_not_make_is_never_replaced(session: Session, parent: Path, tmp_path: Path) -> None:
    out = random_gguf(tmp_path / "x.gguf")
    content = out.read_bytes()
    with pytest.raises(UsageError, match=r"x\.gguf exists and was not made by lineal"):
        quantize(session, parent, out)
    assert out.read_bytes() == content


def test_a_merge_makes_no_file(session: Session, parent: Path, tmp_path: Path) -> None:
    method = method_from_words("merge", "linear", [])
    models = [Reference("parent", f"{parent}")] * 2
    with pytest.raises(UsageError, match=r"x\.gguf: linear makes a folder; its name must not end in \.gguf"):
        derive_one(session, "merge", method, models, tmp_path / "x.gguf")
    assert not list(tmp_path.glob("*x.gguf*"))


def test_a_file_is_added_with_its_history_wherever_it_lies_and_whatever_its_name(
    session: Session, elsewhere: Session, parent: Path, tmp_path: Path
) -> None:
    local = quantize(session, parent, tmp_path / "x.gguf")
    moved = tmp_path / "y.gguf"
    record_path(local.path).rename(record_path(moved))
    local.path.rename(moved)
    assert verify_folder(elsewhere, moved).ok
    added = add_folder(elsewhere, moved)
    assert (added.model_hash, added.name.name) == (local.model_hash, "y.gguf")
    assert added.history == f"quantize (gguf) of {parent.name}"
    (step,) = elsewhere.registry.steps_of(added.model_hash)
    assert step.evidence is Evidence.RECORDED
    assert elsewhere.find("y.gguf").path == moved
    flip(moved, 30)
    assert any("differs" in fault or "GGUF" in fault or "y.gguf" in fault for fault in faults(elsewhere, moved))


def test_a_file_from_elsewhere_is_an_original(session: Session, tmp_path: Path) -> None:
    added = add_folder(session, random_gguf(tmp_path / "x.gguf"), "mine:x")
    assert added.history == "an original, as far as is known"
    assert session.find("mine:x").path == tmp_path / "x.gguf"
    with pytest.raises(CheckpointError, match=r"no x\.gguf\.lineal\.json, and not in the registry"):
        verify_folder(session, tmp_path / "x.gguf")


def test_a_file_whose_record_is_of_another_is_refused(session: Session, parent: Path, tmp_path: Path) -> None:
    local = quantize(session, parent, tmp_path / "x.gguf")
    random_gguf(tmp_path / "y.gguf")
    shutil.copy(record_path(local.path), tmp_path / "y.gguf.lineal.json")
    with pytest.raises(CheckpointError, match=r"y\.gguf: holds b3:[0-9a-f]{8}, its record is of b3:"):
        add_folder(session, tmp_path / "y.gguf")


def test_a_record_holds_no_local_paths(session: Session, parent: Path, tmp_path: Path) -> None:
    local = quantize(session, parent, tmp_path / "x.gguf")
    text = record_path(local.path).read_text()
    assert str(tmp_path) not in text
    assert json.loads(text)["form"] == "gguf"
    assert open_checkpoint(local.path).metadata["general.architecture"].content == "llama"
