"""A folder or file appears whole or not at all, and what it replaces is kept aside."""

import threading
from pathlib import Path

import pytest

from lineal.checkpoint.written.publish import (
    REPLACED,
    output_lock,
    partial_folder,
    partial_folders,
    publish,
    publish_file,
)


def folder(path: Path, content: str) -> Path:
    (path / "inner").mkdir(parents=True)
    (path / "a.txt").write_text(content)
    (path / "inner" / "b.txt").write_text(content)
    return path


def test_a_finished_folder_takes_its_place(tmp_path: Path) -> None:
    partial = folder(tmp_path / ".new", "new")
    assert publish(partial, tmp_path / "model") is None
    assert not partial.exists()
    assert (tmp_path / "model" / "inner" / "b.txt").read_text() == "new"


def test_what_is_replaced_is_kept_aside_under_the_name_given(tmp_path: Path) -> None:
    folder(tmp_path / "model", "old")
    moved = publish(folder(tmp_path / ".new", "new"), tmp_path / "model", "model-0123456789ab")
    assert moved == tmp_path / REPLACED / "model-0123456789ab"
    assert (tmp_path / REPLACED / "model-0123456789ab" / "a.txt").read_text() == "old"
    assert (tmp_path / "model" / "a.txt").read_text() == "new"


def test_nothing_kept_aside_is_ever_overwritten(tmp_path: Path) -> None:
    publish(folder(tmp_path / ".new", "0"), tmp_path / "model")
    moved = [publish(folder(tmp_path / ".new", str(i)), tmp_path / "model", "model-x") for i in (1, 2, 3)]
    assert [path and path.name for path in moved] == ["model-x", "model-x-2", "model-x-3"]
    assert [path and (path / "a.txt").read_text() for path in moved] == ["0", "1", "2"]


def test_a_crash_between_the_two_renames_loses_neither_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target, partial = folder(tmp_path / "model", "old"), folder(tmp_path / ".new", "new")
    rename, renamed = Path.rename, list[Path]()

    def crash_at_the_second(self: Path, to: Path) -> Path:
        renamed.append(self)
        if len(renamed) == 2:
            raise KeyboardInterrupt
        return rename(self, to)

    monkeypatch.setattr(Path, "rename", crash_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        publish(partial, target, "model-old")
    monkeypatch.undo()
    assert renamed == [target, partial]
    assert (tmp_path / REPLACED / "model-old" / "a.txt").read_text() == "old"
    assert publish(partial, target, "model-old") is None
    assert (target / "a.txt").read_text() == "new"


def test_every_file_is_durable_before_the_first_rename(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[str] = []
    rename = Path.rename

    def traced_rename(self: Path, to: Path) -> Path:
        events.append(f"rename {self.name}")
        return rename(self, to)

    monkeypatch.setattr("lineal.checkpoint.written.publish._fsync", lambda path: events.append(f"fsync {path.name}"))
    monkeypatch.setattr(Path, "rename", traced_rename)
    publish(folder(tmp_path / ".new", "new"), tmp_path / "model")
    assert set(events[:4]) == {"fsync a.txt", "fsync b.txt", "fsync inner", "fsync .new"}
    assert events[4:] == ["rename .new", f"fsync {tmp_path.name}"]


def made(folder: Path, content: str) -> tuple[Path, Path]:
    """A model file and its record, in a folder of their own."""
    folder.mkdir(exist_ok=True)
    file, record = folder / "x.gguf", folder / "x.gguf.lineal.json"
    file.write_text(content)
    record.write_text(f"of {content}")
    return file, record


def contents(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_a_finished_file_takes_its_place_with_its_record(tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    assert publish_file(*made(tmp_path / ".new", "new"), models / "x.gguf") is None
    assert contents(models) == {"x.gguf": "new", "x.gguf.lineal.json": "of new"}
    assert contents(tmp_path / ".new") == {}


def test_a_file_that_is_replaced_is_kept_aside_with_its_record(tmp_path: Path) -> None:
    made(tmp_path / "models", "old")
    moved = publish_file(*made(tmp_path / ".new", "new"), tmp_path / "models" / "x.gguf", "x.gguf-0123456789ab")
    assert moved == tmp_path / "models" / REPLACED / "x.gguf-0123456789ab" / "x.gguf"
    assert contents(moved.parent) == {"x.gguf": "old", "x.gguf.lineal.json": "of old"}
    assert (tmp_path / "models" / "x.gguf").read_text() == "new"


@pytest.mark.parametrize("crash_at", [1, 2, 3])
def test_a_crash_between_the_renames_of_a_file_leaves_what_the_next_run_can_finish(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, crash_at: int
) -> None:
    """At no moment is there a file without its own record, which nobody would replace; nothing old is lost."""
    models, target = tmp_path / "models", tmp_path / "models" / "x.gguf"
    made(models, "old")
    rename, renamed = Path.rename, list[Path]()

    def crash(self: Path, to: Path) -> Path:
        renamed.append(self)
        if len(renamed) == crash_at:
            raise KeyboardInterrupt
        return rename(self, to)

    monkeypatch.setattr(Path, "rename", crash)
    with pytest.raises(KeyboardInterrupt):
        publish_file(*made(tmp_path / ".new", "new"), target, "old")
    monkeypatch.undo()
    if target.exists():
        assert target.with_name("x.gguf.lineal.json").read_text() == f"of {target.read_text()}"
    publish_file(*made(tmp_path / ".new", "new"), target, "old")
    found = contents(models)
    assert (found["x.gguf"], found["x.gguf.lineal.json"]) == ("new", "of new")
    kept = {name: content for name, content in found.items() if name.startswith(REPLACED)}
    (place,) = (name.removesuffix("/x.gguf") for name in kept if name.endswith("/x.gguf"))
    assert (kept[f"{place}/x.gguf"], kept[f"{place}/x.gguf.lineal.json"]) == ("old", "of old")


def test_a_file_its_record_and_what_is_kept_aside_are_durable_before_their_renames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    rename = Path.rename

    def traced_rename(self: Path, to: Path) -> Path:
        events.append(f"rename {self.relative_to(tmp_path)}")
        return rename(self, to)

    made(tmp_path / "models", "old")
    file, record = made(tmp_path / "new", "new")
    monkeypatch.setattr(
        "lineal.checkpoint.written.publish._fsync", lambda path: events.append(f"fsync {path.relative_to(tmp_path)}")
    )
    monkeypatch.setattr(Path, "rename", traced_rename)
    publish_file(file, record, tmp_path / "models" / "x.gguf", "old")
    aside = f"models/{REPLACED}"
    assert set(events[:3]) == {"fsync new/x.gguf", "fsync new/x.gguf.lineal.json", "fsync new"}
    assert events[3:] == [
        f"fsync {aside}/old/x.gguf.lineal.json",
        f"fsync {aside}/old",
        f"fsync {aside}",
        "rename models/x.gguf",
        f"fsync {aside}/old",
        "rename new/x.gguf.lineal.json",
        "rename new/x.gguf",
        "fsync models",
    ]


def test_a_partial_folder_lies_beside_its_target_and_is_named_for_its_content(tmp_path: Path) -> None:
    path = partial_folder(tmp_path / "model", bytes(range(32)))
    assert path == tmp_path / ".model.000102030405.partial"


@pytest.mark.parametrize("name", ["model", "model[1]", "model.v2"])
def test_partials_are_told_from_those_of_targets_with_like_names(tmp_path: Path, name: str) -> None:
    target = tmp_path / name
    others = [tmp_path / other for other in (f"{name}x", f"{name}.q8", "other")]
    in_use = [partial_folder(other, bytes(range(32))) for other in others]
    abandoned = [partial_folder(target, bytes([i] * 32)) for i in (1, 2)]
    for path in (target, *in_use, *abandoned):
        folder(path, "x")
    assert sorted(partial_folders(target)) == sorted(abandoned)


def test_a_second_run_waits_for_the_lock_and_says_so(tmp_path: Path) -> None:
    target = tmp_path / "models" / "a"
    events: list[str] = []
    waiting, entered = threading.Event(), threading.Event()

    def second_run() -> None:
        with output_lock(target, waiting.set):
            events.append("second")
            entered.set()

    with output_lock(target, lambda: events.append("never")):
        thread = threading.Thread(target=second_run)
        thread.start()
        assert waiting.wait(30)
        assert not entered.is_set()
        events.append("first")
    thread.join(30)
    assert events == ["first", "second"]


def test_locks_of_different_outputs_do_not_wait_for_each_other(tmp_path: Path) -> None:
    waited: list[str] = []
    with (
        output_lock(tmp_path / "a", lambda: waited.append("a")),
        output_lock(tmp_path / "b", lambda: waited.append("b")),
    ):
        assert waited == []


def test_a_lock_is_free_again_after_an_error(tmp_path: Path) -> None:
    waited: list[str] = []
    with pytest.raises(ValueError, match="inside"), output_lock(tmp_path / "a", lambda: waited.append("a")):
        raise ValueError("inside")
    with output_lock(tmp_path / "a", lambda: waited.append("a")):
        assert waited == []
