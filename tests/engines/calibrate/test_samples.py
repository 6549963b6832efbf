"""Samples are windows of a text, the same for a seed; too little of one, or another model's tokenizer, is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lineal.engines.calibrate.samples import check_tokens, read_samples
from lineal.engines.inference.language_model import load_tokenizer
from lineal.engines.text.encoding import Encoder
from lineal.errors import CheckpointError, MethodError, StorageError
from tests.engines.bordered import bordered_model
from tests.engines.calibrate.walks import Watching
from tests.engines.tiny_models import VOCABULARY, make_documents, tokenizer, write_data


def text(folder: Path, documents: int = 60) -> Path:
    path = folder / "text.txt"
    path.write_text(" ".join(make_documents(7, documents)), encoding="utf-8")
    return path


def test_they_are_windows_of_the_text_in_its_order(tmp_path: Path) -> None:
    path = text(tmp_path)
    found = read_samples(Watching(samples=4, context=16), [path], tokenizer())
    (whole,) = Encoder(tokenizer()).documents([path.read_text(encoding="utf-8")])
    windows = [tuple(whole[start : start + 16].tolist()) for start in range(0, len(whole) - 15, 16)]
    places = [windows.index(tuple(sample.tolist())) for sample in found]
    assert places == sorted(places)
    assert len(set(places)) == 4


def test_another_seed_draws_others_and_the_same_seed_the_same(tmp_path: Path) -> None:
    first, again, other = (
        read_samples(Watching(samples=4, context=16, seed=seed), [text(tmp_path)], tokenizer()) for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_every_window_begins_as_the_tokenizer_begins_a_text(tmp_path: Path) -> None:
    reader = load_tokenizer(bordered_model(tmp_path / "model", bos=True))
    found = read_samples(Watching(samples=4, context=16), [text(tmp_path)], reader)
    before = Encoder(reader).before
    assert before
    assert found.shape == (4, 16)
    assert (found[:, : len(before)] == before).all()
    assert not np.isin(found[:, len(before) :], before).any()


def test_documents_are_told_apart_by_the_token_that_ends_one(tmp_path: Path) -> None:
    path = write_data(tmp_path / "texts.jsonl", count=30)
    tokens = sum(len(one) + 1 for one in Encoder(tokenizer()).documents(make_documents(0, 30)))
    windows = tokens // 8
    found = read_samples(Watching(samples=windows, context=8), [path], tokenizer())
    end: Any = tokenizer().eos_token_id
    assert 29 <= (found == end).sum() <= 30


@pytest.mark.parametrize(
    ("content", "said"), [("", "no text in it"), ("a model", r"tokens are 0 windows of 512.*more")]
)
def test_a_text_that_is_too_short_is_refused(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "text.txt"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(StorageError, match=said):
        read_samples(Watching(), [path], tokenizer())


def test_tokens_that_the_model_has_no_rows_for_are_another_model_s() -> None:
    samples = np.full((1, 4), VOCABULARY - 1, np.int32)
    check_tokens("gptq", samples, VOCABULARY, tokenizer(), "model")
    with pytest.raises(CheckpointError, match=r"tokenizer beside model has 300 tokens, its embedding 200 rows"):
        check_tokens("gptq", samples, 200, tokenizer(), "model")


@pytest.mark.parametrize("options", [{"samples": 0}, {"context": 1}, {"seed": -1}])
def test_options_out_of_range_are_refused(options: Any) -> None:
    with pytest.raises(MethodError, match="must be an integer of at least"):
        Watching(**options)
