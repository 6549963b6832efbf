"""What travels beside the weights, and what of it counts."""

import json
from pathlib import Path
from typing import Any

import pytest

from lineal.checkpoint.package import content_hash, copy_package, licence_hash, licence_paths, package_paths, vocabulary
from lineal.errors import CheckpointError
from tests.builders import make_tokenizer, write_json

PACKAGE = [
    "adapter_config.json",
    "added_tokens.json",
    "additional_chat_templates/tools.jinja",
    "chat_template.jinja",
    "chat_template.json",
    "config.json",
    "generation_config.json",
    "merges.txt",
    "modeling_mine.py",
    "preprocessor_config.json",
    "processor_config.json",
    "sentencepiece.bpe.model",
    "special_tokens_map.json",
    "spiece.model",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "video_preprocessor_config.json",
    "vocab.json",
    "vocab.txt",
]
BESIDE = [
    "README.md",
    "lineal.json",
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "training_args.json",
    ".gitattributes",
    ".config.json",
    "onnx/config.json",
    "2_Dense/model.safetensors",
]
COMPANIONS = ["1_Pooling/config.json", "config_sentence_transformers.json", "modules.json", "sentence_bert_config.json"]
LICENCES = ["COPYING", "LICENSE", "NOTICE.txt", "licence.md"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in [*PACKAGE, *BESIDE, *COMPANIONS, *LICENCES]:
        path = tmp_path / "donor" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"file": name}, indent=3))
    return tmp_path / "donor"


def test_the_package_is_these_files_and_no_others(folder: Path) -> None:
    assert package_paths(folder) == tuple(PACKAGE)
    assert licence_paths(folder) == tuple(LICENCES)


def test_the_package_is_copied_byte_for_byte(folder: Path, tmp_path: Path) -> None:
    copy_package(folder, tmp_path / "child", without=["tokenizer.json"])
    copied = {
        path.relative_to(tmp_path / "child").as_posix() for path in (tmp_path / "child").rglob("*") if path.is_file()
    }
    assert copied == {*PACKAGE, *COMPANIONS, *LICENCES} - {"tokenizer.json"}
    assert all((tmp_path / "child" / name).read_bytes() == (folder / name).read_bytes() for name in copied)


def test_no_licence_has_no_hash(tmp_path: Path) -> None:
    assert licence_hash(tmp_path) is None


@pytest.mark.parametrize(
    "config", ['{"a": 1, "a": 2}', '{"a": Infinity}', '{"a": 1e400}', '{"a": 18446744073709551616}']
)
def test_configs_that_only_python_reads_still_have_a_hash(tmp_path: Path, config: str) -> None:
    (tmp_path / "config.json").write_text(config)
    other = config.replace('"a"', '"b"')
    (tmp_path / "generation_config.json").write_text(other)
    assert content_hash(tmp_path, "config.json") != content_hash(tmp_path, "generation_config.json")


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ('{"a": "\\ud800"}', "holds half a surrogate pair"),
        ('{"\\uDBff": 1}', "holds half a surrogate pair"),
        ('{"\\udfff": 1}', "holds half a surrogate pair"),
        ('{"a": ' + "[" * 700 + "]" * 700 + "}", "has no canonical form"),
    ],
)
def test_a_config_without_a_canonical_form_is_refused_by_name(tmp_path: Path, config: str, said: str) -> None:
    (tmp_path / "config.json").write_text(config)
    with pytest.raises(CheckpointError, match=rf"config\.json: {said}"):
        content_hash(tmp_path, "config.json")


def test_stamps_are_left_out_at_any_depth(tmp_path: Path) -> None:
    write_json(tmp_path / "config.json", {"text_config": {"transformers_version": "5", "a": [{"_name_or_path": "x"}]}})
    write_json(tmp_path / "generation_config.json", {"text_config": {"a": [{}]}})
    assert content_hash(tmp_path, "config.json") == content_hash(tmp_path, "generation_config.json")


def test_a_vocabulary_is_the_model_s_with_the_added_tokens(tmp_path: Path) -> None:
    make_tokenizer(tmp_path, {"a": 0, "b": 1}, {"<s>": 2, "b": 7})
    assert vocabulary(tmp_path) == {"a": 0, "b": 7, "<s>": 2}


def test_a_unigram_vocabulary_is_in_the_order_of_its_pieces(tmp_path: Path) -> None:
    write_json(tmp_path / "tokenizer.json", {"model": {"type": "Unigram", "vocab": [["<unk>", 0.0], ["a", -1.5]]}})
    assert vocabulary(tmp_path) == {"<unk>": 0, "a": 1}


def test_without_a_tokenizer_there_is_no_vocabulary(tmp_path: Path) -> None:
    assert vocabulary(tmp_path) is None


@pytest.mark.parametrize(
    "tokenizer",
    [
        {},
        {"model": None},
        {"model": {"type": "BPE"}},
        {"model": {"vocab": 5}},
        {"model": {"vocab": [5]}},
        {"model": {"vocab": [[]]}},
        {"model": {"vocab": {"a": "x"}}},
        {"model": {"vocab": {}}, "added_tokens": [{"content": "a"}]},
        {"model": {"vocab": {}}, "added_tokens": [{"content": ["a"], "id": 1}]},
        {"model": {"vocab": {}}, "added_tokens": 5},
    ],
)
def test_a_tokenizer_without_a_readable_vocabulary_is_refused(tmp_path: Path, tokenizer: Any) -> None:
    write_json(tmp_path / "tokenizer.json", tokenizer)
    with pytest.raises(CheckpointError, match=r"tokenizer\.json: no vocabulary in model\.vocab"):
        vocabulary(tmp_path)
