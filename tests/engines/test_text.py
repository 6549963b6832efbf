"""Data files as documents."""

import pytest

from lineal.engines.text.documents import read_all_documents, read_documents
from lineal.errors import StorageError


def test_a_jsonl_file_holds_a_document_a_line(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "one\\ntwo", "id": 3}\n\n{"text": ""}\n{"text": "thr\u00e9e\u2028"}', encoding="utf-8")
    assert read_documents(path) == ["one\ntwo", "", "thr\u00e9e\u2028"]


def test_any_other_file_is_one_document_exactly_as_written(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("one\r\ntwo\n\u00e9\n".encode())
    assert read_documents(path) == ["one\r\ntwo\n\u00e9\n"]


def test_several_files_are_read_in_their_order(tmp_path):
    (tmp_path / "b.txt").write_text("b")
    (tmp_path / "a.txt").write_text("a")
    assert read_all_documents([tmp_path / "b.txt", tmp_path / "a.txt"]) == ["b", "a"]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("{text}", r"bad\.jsonl:2: not JSON"),
        ('{"txt": "a"}', r'bad\.jsonl:2: "text" must be a string, got NoneType'),
        ('{"text": 3}', r'bad\.jsonl:2: "text" must be a string, got int'),
        ('["a"]', r"bad\.jsonl:2: a JSON object"),
    ],
)
def test_a_faulty_line_is_named_by_file_and_number(tmp_path, line, fault):
    (tmp_path / "bad.jsonl").write_text(f'{{"text": "good"}}\n{line}\n')
    with pytest.raises(StorageError, match=fault):
        read_documents(tmp_path / "bad.jsonl")


def test_a_file_that_is_missing_empty_a_folder_or_not_text_is_refused(tmp_path):
    (tmp_path / "empty.txt").touch()
    (tmp_path / "empty.jsonl").write_text('{"text": ""}\n')
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    faults = {
        "missing.txt": "no such",
        "empty.txt": "no text",
        "empty.jsonl": "no text",
        "latin.txt": "UTF-8 at byte 3",
    }
    for name, fault in faults.items():
        with pytest.raises(StorageError, match=fault):
            read_documents(tmp_path / name)
    with pytest.raises(StorageError, match="a folder"):
        read_documents(tmp_path)
