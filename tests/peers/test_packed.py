"""Packed children in transformers: the weights that compressed-tensors decompresses, logits, and how they go on."""

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lineal.checkpoint.reader import open_checkpoint
from lineal.engines.inference.language_model import load_model
from lineal.engines.parents.model import full_model
from lineal.engines.quantize.packed_plan import plan_packed
from lineal.methods.quantize.rtn import RoundToNearest
from tests.builders import read_safetensors
from tests.engines.quantizations import write
from tests.engines.tiny_models import make_model, stored_in

pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("ignore")]

HERE = Path(__file__).resolve().parent
PYTHON = HERE.parents[1] / "build" / "peers" / "quantized" / "bin" / "python"
TOKENS = [5, 17, 3, 99, 42, 8]
WEIGHTS_ALONE: list[dict[str, Any]] = [
    *({"scheme": f"w{bits}a16", "group_size": 32} for bits in (2, 3, 4, 8)),
    {"scheme": "w4a16"},
    {"scheme": "w4a16", "group_size": "channel"},
    {"scheme": "w8a16", "group_size": "tensor"},
    {"scheme": "w4a16", "group_size": 64, "clipping": "mse"},
    {"scheme": "w4a16", "group_size": 32, "symmetric": False},
]
FLOATS_OF_FOUR_BITS: list[dict[str, Any]] = [{"scheme": name} for name in ("nvfp4", "mxfp4")]
"""compressed-tensors decompresses these to bfloat16, whatever the model is in, and then does not run another."""
ACTIVATIONS_TOO: list[dict[str, Any]] = [{"scheme": name} for name in ("w8a8", "fp8_dynamic")]


def named(options: dict[str, Any]) -> str:
    return "-".join(map(str, options.values()))


CASES = [
    *((options, dtype) for options in WEIGHTS_ALONE for dtype in (torch.float32, torch.bfloat16)),
    *((options, torch.bfloat16) for options in FLOATS_OF_FOUR_BITS),
]


@pytest.mark.parametrize(("options", "dtype"), CASES, ids=lambda one: named(one) if isinstance(one, dict) else f"{one}")
def test_transformers_runs_the_weights_that_lineal_decodes(
    tmp_path: Path, options: dict[str, Any], dtype: torch.dtype
) -> None:
    answer, ours = asked(tmp_path, options, dtype)
    with torch.no_grad():
        logits = ours(torch.tensor([TOKENS])).logits[0].float().numpy()
    assert np.array_equal(logits, np.array(answer["logits"], np.float32))


@pytest.mark.parametrize("options", ACTIVATIONS_TOO, ids=named)
def test_schemes_with_rounded_activations_are_opened_and_run(tmp_path: Path, options: dict[str, Any]) -> None:
    answer, ours = asked(tmp_path, options, torch.bfloat16)
    with torch.no_grad():
        logits = ours(torch.tensor([TOKENS])).logits[0].float().numpy()
    apart = np.abs(logits - np.array(answer["logits"], np.float32)).max()
    assert 0 < apart < 0.5 * np.abs(logits).max()


def asked(folder: Path, options: dict[str, Any], dtype: torch.dtype) -> tuple[dict[str, Any], Any]:
    """What transformers says of a child, and the child as lineal loads it, of equal weights."""
    if not PYTHON.exists():
        pytest.fail(f"no {PYTHON}: `make test-peers` builds it")
    source = make_model(folder / "source", hidden_size=128, intermediate_size=256, num_attention_heads=4)
    stored = stored_in(folder / "base", source, {}, dtype)
    config = json.loads((stored / "config.json").read_text())
    (stored / "config.json").write_text(json.dumps({**config, "dtype": f"{dtype}".removeprefix("torch.")}))
    base = full_model("base", open_checkpoint(stored))
    method = RoundToNearest.from_options(options)
    write(plan_packed(method, method, base), folder / "child")
    question = {"folder": f"{folder / 'child'}", "dequantize": not method.symmetric, "tokens": TOKENS}
    done = subprocess.run(
        [PYTHON, HERE / "load_with_compressed_tensors.py"],
        input=json.dumps({**question, "out": f"{folder}"}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    answer, ours = json.loads(done.stdout.splitlines()[-1]), load_model(folder / "child")
    values = read_safetensors(folder / "values.safetensors")
    for name, parameter in ours.named_parameters():
        parameter.data = parameter.data.to(dtype)  # lineal computes in float32
        assert np.array_equal(parameter.detach().float().numpy(), values[name].astype(np.float32)), name
    assert answer["going_on"][: len(TOKENS)] == TOKENS
    assert len(answer["going_on"]) > len(TOKENS)
    return answer, ours
