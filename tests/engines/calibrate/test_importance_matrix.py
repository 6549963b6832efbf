"""An importance matrix is measured on a text's chunks, and used where a GGUF is made."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

import lineal
from lineal.checkpoint.importance.files import read_importance
from lineal.engines.inference.language_model import load_tokenizer
from lineal.engines.text.encoding import Encoder
from lineal.errors import LinealError
from lineal.family.progress import Silent
from tests.engines.architectures import make_architecture
from tests.engines.bordered import bordered_model
from tests.engines.tiny_models import make_documents, make_model, tokenizer

CONTEXT = 24


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text(" ".join(make_documents(7, 40)), encoding="utf-8")
    return path


def measure(model: Path, text: Path, **options: Any) -> Any:
    out = text.parent / "imatrix.gguf"
    assert lineal.imatrix(model, data=text, out=out, context=CONTEXT, **options) == out
    return read_importance(out)


def squares(folder: Path, chunks: Any) -> Any:
    """What reaches the first block's queries, in transformers: sums of squares."""
    model: Any = AutoModelForCausalLM.from_pretrained(str(folder), dtype=torch.float32)
    found: list[Any] = []
    query = model.model.layers[0].self_attn.q_proj
    query.register_forward_pre_hook(lambda _, given: found.append(given[0].double().square().sum((0, 1))))
    with torch.inference_mode():
        for chunk in chunks:
            model(torch.from_numpy(chunk).long()[None])
    return torch.stack(found).sum(0).numpy()


def test_chunks_are_the_text_s_from_its_beginning(tmp_path: Path, text: Path) -> None:
    model = make_model(tmp_path / "model")
    found = measure(model, text)
    (ids,) = Encoder(tokenizer()).documents([text.read_text(encoding="utf-8")])
    count = len(ids) // CONTEXT
    assert (found.chunks, found.chunk_size, found.datasets) == (count, CONTEXT, ("text.txt",))
    entry = found.entries["blk.0.attn_q.weight"]
    assert entry.counts.tolist() == [count * CONTEXT]
    chunks = ids[: count * CONTEXT].reshape(count, CONTEXT)
    assert np.allclose(entry.sums[0], squares(model, chunks), rtol=1e-4)
    assert len(found.entries) == 2 * 7


def test_each_chunk_begins_as_a_text_does(tmp_path: Path, text: Path) -> None:
    """With the token in place of the chunk's first, as llama.cpp has it."""
    model = bordered_model(tmp_path / "model", bos=True)
    found = measure(model, text, chunks=3)
    encoder = Encoder(load_tokenizer(model))
    (ids,) = encoder.documents([text.read_text(encoding="utf-8")])
    chunks = ids[: 3 * CONTEXT].reshape(3, CONTEXT).copy()
    chunks[:, : len(encoder.before)] = encoder.before
    assert found.chunks == 3
    assert np.allclose(found.entries["blk.0.attn_q.weight"].sums[0], squares(model, chunks), rtol=1e-4)


def test_experts_that_no_token_reached_are_told(tmp_path: Path, text: Path) -> None:
    model = make_architecture(tmp_path / "model", "qwen3_moe", num_experts=64)
    said: list[str] = []

    class Listening:
        def say(self, message: str) -> None:
            said.append(message)

        def task(self, *_: Any) -> Any:
            return Silent().task("", 0, "blocks")

    entry = measure(model, text, chunks=2, progress=Listening()).entries["blk.0.ffn_up_exps.weight"]
    unseen = int((entry.counts == 0).sum())
    assert unseen
    assert f"{unseen} of 64 experts of blk.0.ffn_up_exps.weight have seen no token of the text" in said


def test_a_gguf_is_made_with_it(tmp_path: Path, text: Path) -> None:
    model = make_model(tmp_path / "model", hidden_size=256, intermediate_size=256, num_attention_heads=4)
    place = {"registry": tmp_path / "registry.db"}
    measure(model, text)
    out = tmp_path / "imatrix.gguf"
    plain, weighted = (
        lineal.quantize(model, scheme="q2_k", out=tmp_path / f"{name}.gguf", imatrix=matrix, **place)
        for name, matrix in (("plain", None), ("weighted", out))
    )
    assert plain.hash != weighted.hash


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"context": 10_000}, r"context must be in \[2, 32\], the model's positions"),
        ({"chunks": 0}, "chunks must be at least 1"),
        ({"data": "short.txt"}, "2 chunks of 24 are needed at least"),
        ({"out": "text.txt"}, "exists"),
    ],
)
def test_what_cannot_be_measured_is_refused(tmp_path: Path, text: Path, options: dict[str, Any], said: str) -> None:
    model = make_model(tmp_path / "model")
    (tmp_path / "short.txt").write_text("a model", encoding="utf-8")
    paths = {key: tmp_path / str(value) for key, value in options.items() if key in {"data", "out"}}
    with pytest.raises(LinealError, match=said):
        lineal.imatrix(
            model, **{"data": text, "out": tmp_path / "imatrix.gguf", "context": CONTEXT, **options, **paths}
        )
