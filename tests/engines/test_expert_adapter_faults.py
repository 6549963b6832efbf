"""Every matrix of an adapter of experts has its place, or one line says which has not."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers.utils import logging

from lineal.checkpoint.reader import open_checkpoint
from lineal.engines.inference.language_model import load_model
from lineal.engines.merge.plan import plan_merge
from lineal.engines.parents.model import full_model
from lineal.engines.stream.engine import stream
from lineal.engines.stream.jobs import Recomputation
from lineal.engines.stream.open_files import OpenFiles
from lineal.errors import CheckpointError
from lineal.methods.merge.adapter import AdapterMerge
from tests.engines.expert_adapters import (
    CONFIG,
    MATRICES,
    PREFIX,
    Weights,
    as_peft_0_18,
    make_by_peft,
    merged_by_lineal,
    save_bases,
    write_adapter,
    write_per_expert,
)

pytestmark = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # PEFT on transformers 5.23

EXPERTS = "model.layers.0.mlp.experts"
"""On PEFT's adapters of two parameters: down_proj; under `base_layer`: gate_up_proj."""
A, B = (f"{PREFIX}{EXPERTS}.lora_{side}.weight" for side in "AB")
INNER_A = f"{PREFIX}{EXPERTS}.base_layer.lora_A.weight"
Tensors = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    logging.disable_progress_bar()
    return save_bases("qwen3_moe", tmp_path_factory.mktemp("bases"))


@pytest.fixture(scope="module")
def adapter(bases: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("adapters") / "both"
    return make_by_peft(bases[0], folder, target_modules=[], target_parameters=["gate_up_proj", "down_proj"])


def without(*names: str) -> Callable[[Tensors], Tensors]:
    return lambda tensors: {name: tensor for name, tensor in tensors.items() if name not in names}


def changed(**shapes: tuple[int, int]) -> Callable[[Tensors], Tensors]:
    return lambda tensors: {**tensors, **{{"a": A, "b": B}[side]: torch.ones(shape) for side, shape in shapes.items()}}


FAULTS: dict[str, tuple[Callable[[Tensors], Tensors], dict[str, Any], str]] = {
    "another number of experts": (
        changed(a=(10, 16), b=(32, 10)),
        {},
        rf"'{EXPERTS}': A \[10, 16\], B \[32, 10\] do not fit the weight '{EXPERTS}.down_proj': F32 \[4, 32, 16\]",
    ),
    "another width": (changed(a=(8, 17)), {}, rf"A \[8, 17\], B \[32, 8\] do not fit the weight '{EXPERTS}.down_proj'"),
    "matrices of several ranks": (changed(a=(8, 16), b=(32, 4)), {}, r"A \[8, 16\], B \[32, 4\] do not fit"),
    "another rank than the config says": (
        changed(a=(12, 16), b=(32, 12)),
        {},
        f"no scale for '{EXPERTS}.down_proj': its matrices have rank 3, the config says 2",
    ),
    "half of a pair": (without(B), {}, f"'{EXPERTS}' has only lora_A"),
    "one parameter, where the config names two": (
        without(INNER_A, INNER_A.replace("lora_A", "lora_B")),
        {},
        f"adapts '{EXPERTS}', where its target_parameters choose gate_up_proj and down_proj of '{EXPERTS}'",
    ),
    "two parameters, where the config names one": (
        dict,
        {"target_parameters": ["mlp.experts.gate_up_proj"]},
        f"adapts '{EXPERTS}', '{EXPERTS}.base_layer', where its target_parameters choose gate_up_proj of",
    ),
    "parameters that the config does not name": (
        dict,
        {"target_parameters": None},
        rf"adapts '{EXPERTS}(\.base_layer)?', which its base does not have",
    ),
    "an expert twice": (
        lambda tensors: {
            **tensors,
            f"{PREFIX}{EXPERTS}.3.up_proj.lora_A.weight": torch.ones(2, 32),
            f"{PREFIX}{EXPERTS}.3.up_proj.lora_B.weight": torch.ones(16, 2),
        },
        {},
        f"changes '{EXPERTS}.3.up_proj.weight' a second time",
    ),
    "an expert that the base does not have": (
        lambda tensors: {**tensors, f"{PREFIX}{EXPERTS}.4.up_proj.lora_A.weight": torch.ones(2, 32)},
        {},
        f"adapts '{EXPERTS}.4.up_proj', which its base does not have",
    ),
    "names that are no list": (
        dict,
        {"target_parameters": "gate_up_proj"},
        "target_parameters must be a list of names",
    ),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("layout", [0, 1])
def test_what_has_no_place_is_named(
    bases: tuple[Path, Path], adapter: Path, tmp_path: Path, layout: int, fault: tuple[Any, Any, str]
) -> None:
    change, settings, message = fault
    config = {**json.loads((adapter / CONFIG).read_text()), **settings}
    written = write_adapter(tmp_path / "a", change(dict(load_file(adapter / MATRICES))), config)
    with pytest.raises(CheckpointError, match=message) as caught:
        _ = full_model("a", open_checkpoint(bases[layout]), open_checkpoint(written))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("version", [None, "main", "0.19.1.dev0", 19])
def test_a_square_parameter_of_no_known_version_is_refused(
    bases: tuple[Path, Path], tmp_path: Path, version: object
) -> None:
    words = {"target_modules": [], "target_parameters": ["gate_up_proj"]}
    made = make_by_peft(bases[0], tmp_path / "made", **words)
    config = {**json.loads((made / CONFIG).read_text()), "peft_version": version}
    written = write_adapter(tmp_path / "a", load_file(made / MATRICES), config)
    message = rf"what adapts '{EXPERTS}.gate_up_proj' \[4, 32, 32\] fits it in both of PEFT's layouts; peft_version is"
    with pytest.raises(CheckpointError, match=message):
        _ = full_model("a", open_checkpoint(bases[0]), open_checkpoint(written))


def test_experts_of_an_architecture_that_is_not_known_are_refused(
    bases: tuple[Path, Path], adapter: Path, tmp_path: Path
) -> None:
    config = {**json.loads((bases[1] / "config.json").read_text()), "model_type": "of_tomorrow"}
    base = tmp_path / "base"
    base.mkdir()
    save_file(load_file(bases[1] / "model.safetensors"), base / "model.safetensors")
    (base / "config.json").write_text(json.dumps(config))
    message = r"how its experts lie in memory is not known of model_type 'of_tomorrow'"
    with pytest.raises(CheckpointError, match=message):
        _ = full_model("a", open_checkpoint(base), open_checkpoint(adapter))


SCALES: dict[str, tuple[dict[str, Any], float, float]] = {
    "rank-stabilized": ({"use_rslora": True}, 3 / 2**0.5, 3 / 2**0.5),
    "by pattern": ({"alpha_pattern": {"gate_proj": 9, r"experts\.1\.up_proj": 5}}, 9 / 2, 3 / 2),
}


@pytest.mark.parametrize("settings", SCALES.values(), ids=SCALES)
def test_layers_of_each_expert_are_as_strong_as_they_were_trained(
    bases: tuple[Path, Path], tmp_path: Path, settings: tuple[dict[str, Any], float, float]
) -> None:
    """PEFT 0.21 opens the first sqrt(2) times too strong, and of the second it leaves out the patterns."""
    config, of_gates, of_ups = settings
    adapter = write_per_expert(bases[0], tmp_path / "a", **config)
    found = load_file(merged_by_lineal(bases[0], adapter, tmp_path / "merged") / "model.safetensors")
    before, pairs = load_file(bases[0] / "model.safetensors"), load_file(adapter / MATRICES)
    for module, scale in ((f"{EXPERTS}.3.gate_proj", of_gates), (f"{EXPERTS}.3.up_proj", of_ups)):
        a, b = (pairs[f"{PREFIX}{module}.lora_{side}.weight"] for side in "AB")
        expected = before[f"{module}.weight"] + scale * b @ a
        torch.testing.assert_close(found[f"{module}.weight"], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("layout", [0, 1])
@pytest.mark.parametrize("threads", [1, 3])
def test_matrices_of_experts_are_read_once_and_stand_in_every_note(
    bases: tuple[Path, Path], adapter: Path, layout: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: Counter[int] = Counter()
    read = OpenFiles.read

    def counted(self: OpenFiles, path: Path, buffer: memoryview, offset: int) -> None:
        if path.parent == adapter:
            reads[offset] += 1
        read(self, path, buffer, offset)

    monkeypatch.setattr(OpenFiles, "read", counted)
    model = full_model("a", open_checkpoint(bases[layout]), open_checkpoint(adapter))
    sink = Recomputation()
    hashes = stream(plan_merge(AdapterMerge(), [model]).jobs, sink, threads=threads)
    specs = dict(open_checkpoint(adapter).items())
    assert reads == Counter(spec.offset for spec in specs.values())
    assert hashes[str(adapter / MATRICES)].keys() == specs.keys()
    for name, note in sink.notes.items():
        beside = [one for one in note if one[0] == str(adapter / MATRICES)]
        assert bool(beside) == (".experts." in name)


def test_both_layouts_of_an_adapter_have_the_same_effect(
    bases: tuple[Path, Path], adapter: Path, tmp_path: Path
) -> None:
    earlier = as_peft_0_18(adapter, tmp_path / "earlier", experts=4)
    folders = [merged_by_lineal(bases[0], one, tmp_path / f"{number}") for number, one in enumerate((adapter, earlier))]
    found: list[Weights] = [load_file(folder / "model.safetensors") for folder in folders]
    for name, values in found[0].items():
        torch.testing.assert_close(found[1][name], values, rtol=0, atol=1e-6)


@pytest.mark.parametrize("per_expert", [True, False])
def test_what_computes_with_adapters_refuses_experts(
    bases: tuple[Path, Path], adapter: Path, tmp_path: Path, per_expert: bool
) -> None:
    folder = write_per_expert(bases[0], tmp_path / "a") if per_expert else adapter
    message = r"adapts '[a-z.0-9_]*(experts|_proj)[a-z.0-9_]*', which is no linear layer here; make it part of its base"
    with pytest.raises(CheckpointError, match=message):
        _ = load_model(folder, bases[0])
