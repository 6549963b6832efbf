"""The record of a model: in its folder, or beside the file that is all of it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from lineal.checkpoint.content.hashing import hash_folder
from lineal.checkpoint.reader import Form
from lineal.derivation.hashes import format_hash
from lineal.derivation.step import Input, Step
from lineal.errors import CheckpointError
from lineal.lineage.records.lineal_json import Provenance, read_provenance, record_path, write_provenance
from lineal.lineage.records.quantization_report import report_of
from lineal.lineage.records.rounding import Rounding
from lineal.lineage.shown.card import model_card
from tests.builders import make_checkpoint, random_tensors
from tests.ggufs import random_gguf
from tests.mixtures import fused, mixture, write_mixture

STEP = Step(
    type="quantize", method="gguf", version=1, inputs=(Input("parent", bytes(32)),), options={"scheme": "q8_0"}, data=()
)


UNKNOWN = {"model_type": "unheard_of"}
"""The config of a model whose layouts are not known."""


def provenance(place: Path, form: Form) -> Provenance:
    return Provenance(STEP, ("models:a",), hash_folder(place), form, {"lineal": "0.1.0"})


def test_a_record_lies_in_the_folder_or_beside_the_lone_file(tmp_path: Path) -> None:
    assert record_path(tmp_path) == tmp_path / "lineal.json"
    assert record_path(tmp_path / "x.gguf") == tmp_path / "x.gguf.lineal.json"
    (tmp_path / "y.gguf").mkdir()
    assert record_path(tmp_path / "y.gguf") == tmp_path / "y.gguf" / "lineal.json"


def test_a_record_comes_back_as_it_was_written(tmp_path: Path) -> None:
    alone = random_gguf(tmp_path / "x.gguf")
    inside = random_gguf(tmp_path / "folder" / "x.gguf").parent
    ordinary = make_checkpoint(tmp_path / "full", random_tensors(1, {"a": (2,)}), UNKNOWN)
    for place, form in ((alone, "gguf"), (inside, "gguf"), (ordinary, "full")):
        written = provenance(place, form)
        assert read_provenance(place) is None
        write_provenance(place, written)
        assert read_provenance(place) == written
    assert read_provenance(tmp_path) is None


def test_a_record_is_what_json_writes_with_an_indent_of_two(tmp_path: Path) -> None:
    shapes: dict[str, tuple[int, ...]] = {
        'a"\\\n\u2028\u00e9': (2, 3),
        "scalar": (),
        "b": (2, 3),
        "c": (1,),
        "none": (0, 4),
    }
    for number, tensors in enumerate((random_tensors(1, shapes), {})):
        place = make_checkpoint(tmp_path / str(number), tensors)
        write_provenance(place, provenance(place, "full"))
        text = record_path(place).read_text(encoding="utf-8")
        assert text == json.dumps(json.loads(text), indent=2, ensure_ascii=False) + "\n"
        assert json.loads(text)["tensors"].keys() == tensors.keys()


@pytest.mark.parametrize("form", ["pickle", None, 3])
def test_a_form_that_nobody_knows_is_refused(tmp_path: Path, form: object) -> None:
    place = random_gguf(tmp_path / "x.gguf")
    write_provenance(place, provenance(place, "gguf"))
    record = json.loads(record_path(place).read_text())
    record_path(place).write_text(json.dumps({**record, "form": form}))
    with pytest.raises(CheckpointError, match=r"x\.gguf\.lineal\.json: not a record: form .* not one of full, adapter"):
        read_provenance(place)


def test_a_training_that_gives_its_own_input_is_refused_by_whatever_reads_its_record(tmp_path: Path) -> None:
    place = make_checkpoint(tmp_path / "model", random_tensors(1, {"a": (2,)}))
    whole = provenance(place, "full")
    itself = Input("parent", whole.hashes.manifest.model_hash)
    trained = Step(type="fine-tune", method="full", inputs=(itself,))
    write_provenance(place, replace(whole, step=trained, input_names=("x",)))
    with pytest.raises(CheckpointError, match="it tells of a fine-tune of itself, and no training gives its own"):
        read_provenance(place)
    merged = Step(type="merge", method="linear", inputs=(itself, itself))
    write_provenance(place, replace(whole, step=merged, input_names=("x", "x")))
    assert read_provenance(place) is not None  # which a replay can tell


def test_the_card_of_a_gguf_names_its_library_and_relation(tmp_path: Path) -> None:
    card = model_card("q8", provenance(random_gguf(tmp_path / "x.gguf"), "gguf"), {"models:a": "org/a"}, "gpl-3.0")
    assert "library_name: gguf\n" in card
    assert "base_model: org/a\n" in card
    assert "base_model_relation: quantized\n" in card
    assert "license: gpl-3.0\n" in card


@pytest.mark.parametrize("in_one", [False, True])
def test_a_layout_hash_stands_where_it_is_known_and_comes_back(tmp_path: Path, in_one: bool) -> None:
    place = write_mixture(tmp_path / "m", fused(mixture(1)) if in_one else mixture(1))
    written = provenance(place, "full")
    write_provenance(place, written)
    record = json.loads(record_path(place).read_text())
    assert list(record)[:5] == ["schema", "model_hash", "weights_hash", "layout_hash", "form"]
    assert written.hashes.layout_hash is not None
    assert record["layout_hash"] == format_hash(written.hashes.layout_hash)
    found = read_provenance(place)
    assert found is not None
    assert (found.layout_hash, found.hashes.published) == (written.layout_hash, None)


def test_a_record_without_a_layout_hash_reads_as_before_and_one_with_none_is_refused(tmp_path: Path) -> None:
    place = write_mixture(tmp_path / "m", mixture(1))
    write_provenance(place, provenance(place, "full"))
    record = json.loads(record_path(place).read_text())
    told = record.pop("layout_hash")
    record_path(place).write_text(json.dumps(record))
    found = read_provenance(place)
    assert found is not None
    assert found.layout_hash is None
    for wrong in (None, "", told[:-1], told.upper(), 3, [told]):
        record_path(place).write_text(json.dumps({**record, "layout_hash": wrong}))
        with pytest.raises(CheckpointError, match=r"lineal\.json: not a record: not a hash"):
            read_provenance(place)


def test_no_layout_hash_stands_where_layouts_are_not_known(tmp_path: Path) -> None:
    place = make_checkpoint(tmp_path / "full", random_tensors(1, {"a": (2,)}), UNKNOWN)
    write_provenance(place, provenance(place, "full"))
    assert "layout_hash" not in json.loads(record_path(place).read_text())


def test_what_rounding_cost_comes_back_with_the_record(tmp_path: Path) -> None:
    place = random_gguf(tmp_path / "x.gguf")
    whole = provenance(place, "gguf")
    leaves = whole.hashes.manifest.leaves
    cost = {leaf.name: Rounding(0.1 * (i + 1), 1e-7, 0.3, outliers=i % 2) for i, leaf in enumerate(leaves)}
    write_provenance(place, replace(whole, rounding=cost))
    found = read_provenance(place)
    assert found is not None
    assert found == replace(whole, rounding=cost)
    assert found.told(0.0).rounding == cost
    report = json.loads(record_path(place).read_text())["quantization"]
    assert report == report_of(leaves, cost).to_json()
    assert (found.step, found.hashes.manifest.model_hash) == (whole.step, whole.hashes.manifest.model_hash)


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        ({"total": {}}, "its quantization is not what the rest of it comes to: it was edited"),
        ({"tensors": {}}, "its quantization is not what the rest of it comes to: it was edited"),
        ({"tensors": []}, "not a record"),
        ({"tensors": {"other": {"squares": 1.0}}}, "not a record"),
    ],
)
def test_a_malformed_report_is_refused(tmp_path: Path, edit: dict[str, object], told: str) -> None:
    place = random_gguf(tmp_path / "x.gguf")
    whole = provenance(place, "gguf")
    write_provenance(place, replace(whole, rounding={whole.hashes.manifest.leaves[0].name: Rounding(1.0, 0.5, 0.5)}))
    record = json.loads(record_path(place).read_text())
    for change in ({**record["quantization"], **edit}, 3):
        record_path(place).write_text(json.dumps({**record, "quantization": change}))
        with pytest.raises(CheckpointError, match=told if change != 3 else "not a record"):
            read_provenance(place)
