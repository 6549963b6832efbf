"""Front matter of model cards: read where it is sound, refused in one line where it is not."""

from pathlib import Path

import pytest

from lineal.errors import CheckpointError, UsageError
from lineal.family.origin.claims.card import Card, read_card


def write(folder: Path, text: str) -> Path:
    (folder / "README.md").write_text(text, encoding="utf-8")
    return folder


def test_parents_relation_data_and_licence_are_read(tmp_path: Path) -> None:
    text = """---
base_model:
- org/one
- org/two
base_model_relation: merge
datasets: org/texts
license: apache-2.0
tags: [merge]
---
# A model
"""
    assert read_card(write(tmp_path, text)) == Card(("org/one", "org/two"), "merge", ("org/texts",), "apache-2.0")


@pytest.mark.parametrize("text", ["# A model\n", "", "---\n---\n# A model\n", "---\n# only a comment\n---\n"])
def test_a_card_without_front_matter_says_nothing(tmp_path: Path, text: str) -> None:
    assert read_card(write(tmp_path, text)) is None


def test_a_folder_without_a_card_says_nothing(tmp_path: Path) -> None:
    assert read_card(tmp_path) is None


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("---\nbase_model: org/one\n", "does not end"),
        ("---\nbase_model: [org/one\n---\n", "not YAML"),
        ("---\n- base_model\n---\n", "not a mapping"),
        ("---\nbase_model: 7\n---\n", "base_model must be a name or a list of names, got 7"),
        ("---\nbase_model: {name: x}\n---\n", "base_model must be a name"),
        ("---\nbase_model_relation: child\n---\n", "base_model_relation 'child'"),
        ("---\nbase_model: !!python/object/apply:os.system [ls]\n---\n", "not YAML"),
    ],
)
def test_what_is_broken_is_one_line_that_names_the_file(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises((UsageError, CheckpointError), match=r"README\.md: ") as raised:
        _ = read_card(write(tmp_path, text))
    assert fault in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_card_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_bytes(b"---\nlicense: \xff\n---\n")
    with pytest.raises(CheckpointError, match="not UTF-8"):
        _ = read_card(tmp_path)


def test_aliases_do_not_make_a_small_card_large(tmp_path: Path) -> None:
    levels = "\n".join(
        f"{b}: &{b} [{', '.join([f'*{a}'] * 10)}]" for a, b in zip("abcdefghi", "bcdefghij", strict=True)
    )
    text = f"---\na: &a [x]\n{levels}\nbase_model: *j\n---\n"
    with pytest.raises(UsageError, match=r"base_model must be a name or a list of names, got a list$"):
        _ = read_card(write(tmp_path, text))
