"""Children in bitsandbytes' codes beside bitsandbytes itself: what it makes of the same weights, and loads of ours."""

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
from lineal.engines.quantize.bitsandbytes_plan import plan_bitsandbytes
from lineal.methods.quantize.bitsandbytes import BitsAndBytes
from tests.builders import Array, read_safetensors
from tests.engines.quantizations import write
from tests.engines.tiny_models import make_model, stored_in

pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("ignore")]

HERE = Path(__file__).resolve().parent
PYTHON = HERE.parents[1] / "build" / "peers" / "quantized" / "bin" / "python"
TOKENS = [5, 17, 3, 99, 42, 8]
STATE = ".quant_state.bitsandbytes__"
CASES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"scheme": "nf4"}, {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True}),
    ({"scheme": "nf4", "double_quantization": False}, {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}),
    ({"scheme": "fp4"}, {"load_in_4bit": True, "bnb_4bit_quant_type": "fp4", "bnb_4bit_use_double_quant": True}),
    ({"scheme": "int8"}, {"load_in_8bit": True}),
]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize(("options", "theirs"), CASES, ids=lambda options: str(options.get("scheme", "")))
def test_transformers_makes_the_same_tensors_and_loads_them(
    tmp_path: Path, options: dict[str, Any], theirs: dict[str, Any], dtype: torch.dtype
) -> None:
    source = make_model(tmp_path / "source", hidden_size=128, intermediate_size=192, num_attention_heads=4)
    base = stored_in(tmp_path / "base", source, {}, dtype)
    plan = plan_bitsandbytes(BitsAndBytes(**options), full_model("base", open_checkpoint(base)))
    write(plan, tmp_path / "child")
    answer = asked(tmp_path, theirs)
    made, of_base = (read_safetensors(tmp_path / f"{name}.safetensors") for name in ("tensors", "of_base"))
    assert made.keys() == of_base.keys()
    for name, tensor in made.items():
        assert contents(name, tensor) == contents(name, of_base[name]), name
    values = read_safetensors(tmp_path / "values.safetensors")
    ours = load_model(tmp_path / "child")
    for name, parameter in ours.named_parameters():
        parameter.data = parameter.data.to(dtype)  # lineal computes in float32
        assert np.array_equal(parameter.detach().float().numpy(), values[name].astype(np.float32)), name
    with torch.no_grad():
        logits = ours(torch.tensor([TOKENS])).logits[0].float().numpy()
    assert np.array_equal(logits, np.array(answer["of_full"], np.float32))
    if options["scheme"] != "int8":  # whose layers round what they multiply, too
        assert np.array_equal(logits, np.array(answer["logits"], np.float32))
    else:
        assert abs(logits - answer["logits"]).max() < 0.1 * abs(logits).max()
    assert answer["going_on"][: len(TOKENS)] == TOKENS
    assert len(answer["going_on"]) > len(TOKENS)


def contents(name: str, tensor: Array) -> object:
    """All that counts of a tensor: JSON may be followed by spaces."""
    if STATE in name:
        return json.loads(tensor.tobytes())
    return tensor.dtype, tensor.shape, tensor.tobytes()


def asked(folder: Path, options: dict[str, Any]) -> dict[str, Any]:
    if not PYTHON.exists():
        pytest.fail(f"no {PYTHON}: `make test-peers` builds it")
    question = {"folder": f"{folder / 'child'}", "base": f"{folder / 'base'}", "options": options}
    done = subprocess.run(
        [PYTHON, HERE / "load_with_bitsandbytes.py"],
        input=json.dumps({**question, "tokens": TOKENS, "out": f"{folder}"}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])
