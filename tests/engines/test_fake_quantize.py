"""Fake quantization: the numbers of the grid, gradients that pass it by, and a model that loses less by rounding."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from lineal.engines.inference.language_model import ModelFolder, load_model
from lineal.engines.text.documents import read_all_documents
from lineal.engines.train.base_name import BaseName
from lineal.engines.train.fake_quantize import fake_quantized, rounded
from lineal.engines.train.train import train
from lineal.errors import MethodError
from lineal.methods.distill.distill import Distill
from lineal.methods.finetune.fake_quantization import FakeQuantization
from lineal.methods.finetune.full import FullFineTune
from lineal.methods.finetune.training import Training
from lineal.methods.quantize.grid import Grid, fit, from_codes, to_codes
from tests.engines.tiny_models import make_documents, make_model, stored_in, tokenizer

STORED = {"BF16": torch.bfloat16, "F16": torch.float16, "F32": torch.float32}
W2 = FakeQuantization(scheme="w2a16", group_size=32)


def sample(scale: float) -> torch.Tensor:
    weight = torch.randn(24, 64, generator=torch.Generator().manual_seed(1)) * scale
    weight[1], weight[2, :32], weight[3], weight[4] = 0, 0, 0.25 * scale, weight[4].abs()
    weight[5] = torch.arange(64) / 8 * scale  # ties
    return weight


@pytest.mark.parametrize("scale", [1.0, 0.02, 1e-5, 1e-38])
@pytest.mark.parametrize("dtype", STORED)
@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize(("bits", "group"), [(2, 32), (3, None), (4, 32), (8, 64)])
def test_weights_are_rounded_to_the_very_numbers_of_the_grid(
    bits: int, group: int | None, symmetric: bool, dtype: str, scale: float
) -> None:
    grid, weight = Grid(bits, symmetric, group, dtype), sample(scale)
    values = weight.to(STORED[dtype]).float().numpy()
    scales = fit(values, grid)
    expected = from_codes(to_codes(values, scales, grid), scales, grid)
    assert np.array_equal(rounded(weight, grid).numpy(), expected)


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parent")
    source = make_model(folder / "source", hidden_size=64, intermediate_size=64, tie_word_embeddings=False)
    return stored_in(folder / "parent", source, {}, torch.bfloat16)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "text.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in make_documents(3, 60)))
    return path


def test_gradients_pass_the_rounding_by_and_the_head_is_left_alone(parent: Path) -> None:
    model = load_model(parent)
    dtypes = {name: "BF16" for name, _ in model.named_parameters()}
    tokens = torch.arange(12)[None]
    plain = model(tokens).logits
    with fake_quantized(model, W2, dtypes):
        inside = model(tokens).logits
        inside.square().sum().backward()
    assert not torch.equal(inside, plain)
    assert torch.equal(model(tokens).logits, plain)
    path = "model.layers.1.mlp.down_proj"
    by_straight_through = model.get_submodule(path).weight.grad.clone()
    head = model.get_output_embeddings().weight.detach().clone()
    model.zero_grad()
    with torch.no_grad():  # the same model with rounded weights has these gradients
        for name, parameter in model.named_parameters():
            if name.endswith("_proj.weight"):
                parameter.copy_(rounded(parameter, Grid(2, group=32)))
    logits = model(tokens).logits
    assert torch.equal(logits, inside)
    logits.square().sum().backward()
    assert torch.equal(model.get_submodule(path).weight.grad, by_straight_through)
    assert torch.equal(model.get_output_embeddings().weight, head)


def trained(method: Training, parent: Path, data: Path, folder: Path, **options: Any) -> Path:
    out = folder / "out"
    out.mkdir(parents=True)
    train(
        method, data=[data], out=out, scratch=folder / "scratch", parent=parent, base=BaseName("family:tiny"), **options
    )
    for file in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        if not (out / file).exists():
            (out / file).write_bytes((parent / file).read_bytes())
    return out


def loss_when_rounded(folder: Path, data: Path) -> float:
    """Of the next token, with the weights that rtn makes of what is stored."""
    model = load_model(folder)
    ids = tokenizer()(read_all_documents([data]))["input_ids"]
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("_proj.weight"):
                parameter.copy_(rounded(parameter, Grid(2, group=32)))
        losses = [model(torch.tensor([one[:32]]), labels=torch.tensor([one[:32]])).loss for one in ids]
    return float(torch.stack(losses).mean())


def test_a_model_trained_so_loses_less_by_rounding_than_one_trained_as_long_without(
    tmp_path: Path, parent: Path, data: Path
) -> None:
    options: dict[str, Any] = {"tokens": 12800, "sequence_length": 32, "batch_size": 8, "learning_rate": 2e-3}
    without = trained(FullFineTune(**options), parent, data, tmp_path / "without")
    with_it = trained(FullFineTune(**options, fake_quantize=W2), parent, data, tmp_path / "with")
    assert loss_when_rounded(with_it, data) < 0.9 * loss_when_rounded(without, data)
    stored = load_file(with_it / "model.safetensors")
    assert {tensor.dtype for tensor in stored.values()} == {torch.bfloat16}
    weight = stored["model.layers.0.mlp.up_proj.weight"].float()
    assert not torch.equal(weight, rounded(weight, Grid(2, group=32)))  # stored in full


def test_a_student_is_taught_with_rounded_weights(tmp_path: Path, parent: Path, data: Path) -> None:
    teacher = ModelFolder(parent, None, "family:teacher")
    options: dict[str, Any] = {"tokens": 3200, "sequence_length": 32, "batch_size": 8, "learning_rate": 2e-3}
    without, with_it = (
        trained(Distill(**options, **more), parent, data, tmp_path / name, teachers=[teacher])
        for name, more in (("without", {}), ("with", {"fake_quantize": W2}))
    )
    assert loss_when_rounded(with_it, data) < 0.95 * loss_when_rounded(without, data)


@pytest.mark.parametrize("method", [FullFineTune, Distill])
def test_the_option_is_recorded_only_where_it_is_given(method: type[Training]) -> None:
    assert "fake_quantize" not in method.from_options({}).options()
    recorded = method.from_options({"fake_quantize": "W4A16"}).options()
    assert recorded["fake_quantize"] == {"scheme": "w4a16", "group_size": 128, "symmetric": True}
    assert method.from_options(recorded) == method.from_options({"fake_quantize": {"scheme": "w4a16"}})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("q4_0", "one of w2a16 to w8a16"),
        ("w9a16", "one of w2a16"),
        ({"scheme": "w4a16", "group_size": 48}, "group_size"),
    ],
)
def test_other_schemes_are_refused(given: Any, said: str) -> None:
    with pytest.raises(MethodError, match=said):
        FullFineTune.from_options({"fake_quantize": given})


def test_rows_that_are_no_whole_groups_are_refused_by_name(parent: Path) -> None:
    model = load_model(parent)
    with (
        pytest.raises(MethodError, match=r"layers\.0\.self_attn\.q_proj.*no whole groups of 128"),
        fake_quantized(model, FakeQuantization(scheme="w4a16"), {"a": "BF16"}),
    ):
        pass
