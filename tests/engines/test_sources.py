"""Parents as full weights, whatever they are on disk."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lineal.checkpoint.reader import HEADERS_ONLY, open_checkpoint
from lineal.engines.parents.model import full_model
from lineal.errors import CheckpointError
from tests.builders import CONFIG, Array, make_adapter, make_checkpoint

EMBEDDING, HEAD, UP = "model.embed_tokens.weight", "lm_head.weight", "model.layers.0.mlp.up_proj.weight"
TENSORS: dict[str, Array] = {name: np.ones((4, 3), np.float32) for name in (EMBEDDING, HEAD, UP)}
PAIR = (np.ones((2, 3), np.float32), np.ones((4, 2), np.float32))


def checkpoint(folder: Path, tied: Any = None, *, head: bool = True, **config: Any) -> Any:
    tensors = TENSORS if head else {name: t for name, t in TENSORS.items() if name != HEAD}
    settings = {key: value for key, value in CONFIG.items() if key != "tie_word_embeddings"}
    return open_checkpoint(
        make_checkpoint(
            folder, tensors, {**settings, **config, **({} if tied is None else {"tie_word_embeddings": tied})}
        )
    )


def test_a_checkpoint_is_its_tensors(tmp_path: Path) -> None:
    model = full_model("a", checkpoint(tmp_path, tied=False))
    assert (set(model), len(model), model.tied, model.folder) == (set(TENSORS), 3, False, tmp_path)
    assert {(source.model, source.spec.name, source.update) for source in model.values()} == {
        ("a", name, None) for name in TENSORS
    }


def test_a_tied_output_head_is_left_out(tmp_path: Path) -> None:
    model = full_model("a", checkpoint(tmp_path, tied=True))
    assert model.tied
    assert set(model) == {EMBEDDING, UP}


@pytest.mark.parametrize("head", [True, False])
@pytest.mark.parametrize(("model_type", "tied"), [("llama", False), ("gemma2", True)])
def test_where_the_config_is_silent_the_architecture_says_whether_it_is_tied(
    tmp_path: Path, model_type: str, tied: bool, head: bool
) -> None:
    model = full_model("a", checkpoint(tmp_path, head=head, model_type=model_type))
    assert model.tied is tied
    assert (HEAD in model) is (head and not tied)


def test_of_headers_alone_a_tied_head_is_left_out_and_said(tmp_path: Path) -> None:
    stored = checkpoint(tmp_path, tied=True)
    (tmp_path / HEADERS_ONLY).touch()
    model = full_model("a", stored)
    assert set(model) == {EMBEDDING, UP}
    assert model.remarks == ("whether the stored head of a differs from its embedding is unknown until downloaded",)


def test_an_adapter_changes_the_weights_it_names(tmp_path: Path) -> None:
    adapter = open_checkpoint(make_adapter(tmp_path / "adapter", {UP.removesuffix(".weight"): PAIR}, lora_alpha=6))
    model = full_model("a", checkpoint(tmp_path / "base", tied=False), adapter)
    update = model[UP].update
    assert update is not None
    assert update.scale == 3
    assert model[EMBEDDING].update is None


def test_an_adapter_alone_is_no_full_model(tmp_path: Path) -> None:
    adapter = open_checkpoint(make_adapter(tmp_path, {"a": PAIR}))
    with pytest.raises(CheckpointError, match="is an adapter; its base is needed"):
        full_model("a", adapter)


def test_an_adapter_of_a_tied_head_is_refused(tmp_path: Path) -> None:
    adapter = open_checkpoint(make_adapter(tmp_path / "adapter", {"lm_head": PAIR}))
    with pytest.raises(CheckpointError, match="adapts the output head, but its config says it is tied"):
        full_model("a", checkpoint(tmp_path / "base", tied=True), adapter)


def test_quantized_weights_are_not_computed_with_in_a_form_that_is_not_read(tmp_path: Path) -> None:
    quantized = checkpoint(tmp_path, tied=False, quantization_config={"quant_method": "hqq"})
    with pytest.raises(CheckpointError, match=r"holds weights quantized by HQQ .* not read; dequantize it with the"):
        full_model("a", quantized)
