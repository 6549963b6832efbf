"""What a GGUF says of where it is from: what llama.cpp's converter would, of names, cards and the Hub."""

from pathlib import Path
from typing import Any

import pytest

from lineal.checkpoint.headers.gguf_metadata import gguf_package
from lineal.checkpoint.reader import open_checkpoint
from tests.engines.architectures import make_architecture
from tests.engines.quantizations import quantize
from tests.llamas import make_llama, read_gguf

CARD = """---
license: other
license_name: a-licence
license_link: https://example.com/licence
language: [en, de]
tags: [code, small]
pipeline_tag: text-generation
base_model: [someone/A-Model-7B-v2, ./here, /home/me/model, "C:\\\\models"]
---
# A card
"""


def general(file: Path) -> dict[str, Any]:
    return {key: value for key, value in read_gguf(file)[1].items() if key.startswith("general.")}


def test_a_card_s_words_become_keys(tmp_path: Path) -> None:
    parent = make_llama(tmp_path / "Small-Llama-97K-Instruct")
    (parent / "README.md").write_text(CARD)
    assert general(quantize(parent, tmp_path / "q", "q8_0")) == {
        "general.architecture": "llama",
        "general.base_model.0.name": "A Model 7B v2",
        "general.base_model.0.organization": "Someone",
        "general.base_model.0.repo_url": "https://huggingface.co/someone/A-Model-7B-v2",
        "general.base_model.0.version": "v2",
        "general.base_model.count": 1,
        "general.basename": "Small-Llama",
        "general.file_type": 7,
        "general.finetune": "Instruct",
        "general.languages": ["en", "de"],
        "general.license": "a-licence",
        "general.license.link": "https://example.com/licence",
        "general.license.name": "a-licence",
        "general.name": "Small-Llama-97K-Instruct",
        "general.quantization_version": 2,
        "general.size_label": "97K",
        "general.tags": ["code", "small", "text-generation"],
        "general.type": "model",
    }


def test_a_model_of_the_hub_is_what_its_gguf_is_made_from(tmp_path: Path) -> None:
    parent = make_llama(tmp_path / "models--someone--A-Model-7B" / "snapshots" / "0123abc")
    (parent / "README.md").write_text("---\nbase_model: another/one\n---\n")
    found = general(quantize(parent, tmp_path / "q"))
    assert found["general.base_model.count"] == 1
    assert found["general.base_model.0.repo_url"] == "https://huggingface.co/someone/A-Model-7B"
    assert found["general.basename"] == "A-Model"


def test_the_size_of_a_mixture_counts_one_expert(tmp_path: Path) -> None:
    assert general(quantize(make_architecture(tmp_path / "m", "mixtral"), tmp_path / "q"))["general.size_label"] == (
        "6x101K"
    )


@pytest.mark.parametrize("card", ["---\nbase_model: {a: 1}\ntags: {b: [1]}\nlanguage: 7\n---\n", "---\n: : [\n---\n"])
def test_a_card_that_says_nothing_that_can_be_read_gives_no_keys(tmp_path: Path, card: str) -> None:
    parent = make_llama(tmp_path / "m")
    plain = quantize(parent, tmp_path / "plain").read_bytes()
    (parent / "README.md").write_text(card)
    assert quantize(parent, tmp_path / "q").read_bytes() == plain


def test_nothing_of_it_counts_in_the_identity(tmp_path: Path) -> None:
    parent = make_llama(tmp_path / "m")
    plain = gguf_package(open_checkpoint(quantize(parent, tmp_path / "plain")).metadata)
    (parent / "README.md").write_text(CARD)
    assert gguf_package(open_checkpoint(quantize(parent, tmp_path / "q")).metadata) == plain
