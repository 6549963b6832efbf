"""A calibrated quantization from a model and a text to a published folder: made, continued, recorded, refused."""

from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import lineal
from lineal.api.opened import opened
from lineal.checkpoint.reader import open_checkpoint
from lineal.engines.parents.model import full_model
from lineal.errors import LinealError
from lineal.family.build.one_off import family_of_one
from lineal.family.build.plan import plan_family
from lineal.family.file.recipe import Reference
from lineal.family.trust.verify import verify_references
from lineal.lineage.records.lineal_json import read_provenance
from tests.engines.architectures import make_architecture
from tests.engines.tiny_models import make_documents, make_model

OPTIONS: dict[str, Any] = {"method": "gptq", "scheme": "w4a16", "group_size": "32", "samples": 6, "context": 24}
WIDE = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 4}


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text(" ".join(make_documents(7, 60)), encoding="utf-8")
    return path


def quantize(model: Path, text: Path, out: str, **options: Any) -> Any:
    place = text.parent / "registry.db"
    return lineal.quantize(model, data=[text], out=text.parent / out, registry=place, **{**OPTIONS, **options})


def tensors(folder: Path) -> dict[str, Any]:
    return load_file(folder / "model.safetensors")


def test_a_folder_of_codes_is_made_and_stays(tmp_path: Path, text: Path) -> None:
    model = make_model(tmp_path / "model", **WIDE)
    child = quantize(model, text, "child")
    stored = tensors(tmp_path / "child")
    layers = {name.removesuffix(".weight_packed") for name in stored if name.endswith(".weight_packed")}
    assert len(layers) == 4 * 7
    assert all({f"{layer}.weight_scale", f"{layer}.weight_shape"} <= stored.keys() for layer in layers)
    assert torch.equal(stored["model.embed_tokens.weight"], tensors(model)["model.embed_tokens.weight"])
    assert quantize(model, text, "child").hash == child.hash


def test_what_the_child_holds_is_what_the_method_found(tmp_path: Path, text: Path) -> None:
    """Decoded, it is nearer to the parent's outputs on the text than rounding alone, though not in its weights."""
    model = make_model(tmp_path / "model", **WIDE)
    quantize(model, text, "gptq")
    lineal.quantize(model, out=tmp_path / "rtn", scheme="w4a16", group_size="32", registry=tmp_path / "registry.db")
    gptq, rtn = (tensors(tmp_path / name) for name in ("gptq", "rtn"))
    assert gptq.keys() == rtn.keys()
    packed = "model.layers.3.mlp.down_proj.weight_packed"
    assert not torch.equal(gptq[packed], rtn[packed])


@pytest.mark.parametrize("name", ["mixtral", "qwen3_moe", "gemma3", "phi3"])
def test_other_architectures_are_made_and_read_again(tmp_path: Path, text: Path, name: str) -> None:
    model = make_architecture(tmp_path / "model", name)
    quantize(model, text, "child", samples=12)
    again = full_model("child", open_checkpoint(tmp_path / "child"))
    whole = full_model("model", open_checkpoint(model))
    assert {key: source.shape for key, source in again.items()} == {key: s.shape for key, s in whole.items()}
    assert any(source.codes is not None for source in again.sources.values())


def test_an_interrupted_run_goes_on_where_it_was(tmp_path: Path, text: Path) -> None:
    model = make_model(tmp_path / "model", **WIDE)
    quantize(model, text, "whole")
    with pytest.raises(KeyboardInterrupt):
        quantize(model, text, "child", progress=Interrupting(after=2))
    (partial,) = tmp_path.glob(".child.*.partial")
    assert (partial / "work" / "before-00002.f32").exists()
    counted = Interrupting(after=99)
    quantize(model, text, "child", progress=counted)
    assert counted.done == [2, 1, 1]  # two blocks were there
    assert tensors(tmp_path / "whole").keys() == tensors(tmp_path / "child").keys()
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "child")]
    assert weights[0] == weights[1]
    assert not list(tmp_path.glob(".child.*.partial"))


class Interrupting:
    """Progress whose listener gives up after so many blocks."""

    def __init__(self, after: int) -> None:
        self.done: list[int] = []
        self._after = after

    def say(self, message: str) -> None:
        pass

    @contextmanager
    def task(self, title: str, total: int, unit: str) -> Any:
        def advance(amount: int, note: str = "") -> None:
            if unit == "blocks":
                self.done += [amount] if amount else []
                if sum(self.done) == self._after:
                    raise KeyboardInterrupt

        yield advance


def test_the_record_says_which_text_and_that_it_is_tolerant(tmp_path: Path, text: Path) -> None:
    child = quantize(make_model(tmp_path / "model", **WIDE), text, "child", damping=0.02)
    record = read_provenance(child.path)
    assert record is not None
    assert record.step.method == "gptq"
    assert record.step.options["damping"] == 0.02
    assert [file.name for file in record.step.data] == ["text.txt"]
    assert "torch" in record.environment
    with opened(tmp_path / "registry.db") as session:
        (verdict,) = verify_references(session, [child.hash])
    assert verdict.why_not == "gptq is tolerant, not exact"


def test_a_gguf_is_a_parent(tmp_path: Path, text: Path) -> None:
    model = make_model(tmp_path / "model", **WIDE)
    lineal.quantize(model, scheme="f16", out=tmp_path / "model.gguf", registry=tmp_path / "registry.db")
    of_gguf = quantize(tmp_path / "model.gguf", text, "of-gguf")
    assert of_gguf.hash != quantize(model, text, "of-folder").hash


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"context": 64}, "context 64 is more than the model's 32 positions"),
        ({"samples": 100_000}, "100000 samples are asked for"),
        ({"data": []}, "data is needed, a text or several"),
        ({"group_size": "64"}, "no whole groups of 64"),
    ],
)
def test_what_cannot_be_calibrated_is_refused(tmp_path: Path, text: Path, options: dict[str, Any], said: str) -> None:
    model = make_model(tmp_path / "model", **WIDE)
    with pytest.raises(LinealError, match=said):
        lineal.quantize(
            model, **{"data": [text], "out": tmp_path / "child", "registry": tmp_path / "r.db", **OPTIONS, **options}
        )
    assert not list(tmp_path.glob(".child*.partial"))


def test_a_plan_tells_what_is_read_and_held(tmp_path: Path, text: Path) -> None:
    model = make_model(tmp_path / "model", **WIDE)
    method = lineal.methods.catalogue.find_method("quantize", "gptq").from_options(
        {key: value for key, value in OPTIONS.items() if key != "method"}
    )
    family = family_of_one("quantize", method, [Reference("parent", f"{model}")], tmp_path / "child", data=[text])
    with opened(tmp_path / "registry.db") as session:
        (planned,) = plan_family(session, family, tmp_path)
    assert planned.bytes_read
    assert planned.memory_bytes
    assert planned.memory_bytes > 300 << 20
    assert planned.seconds is None
