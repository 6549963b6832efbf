"""A record that was edited says something that the rest of it, the files or the registry contradict."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lineal.cli.entry import main
from lineal.derivation.hashes import format_hash
from lineal.derivation.step import Step
from lineal.errors import CheckpointError
from lineal.lineage.records.lineal_json import read_provenance, record_path
from lineal.lineage.registry import Registry
from tests.llamas import make_llama

SMALL = {"hidden_size": 32, "intermediate_size": 32, "num_attention_heads": 2, "num_key_value_heads": 1}
MADE = {
    "merge": ("merge", "./a", "./b", "--base", "./c", "--method", "ties", "--density", "0.3", "--out", "child"),
    "prune": ("prune", "./a", "--sparsity", "0.5", "--out", "child"),
    "quantize": ("quantize", "./a", "--scheme", "q8_0", "--out", "child.gguf"),
    "finetune": ("finetune", "./a", "--data", "text.txt", "--sequence-length", "8", "--rank", "2", "--out", "child"),
    "full": ("finetune", "./a", "--method", "full", "--data", "text.txt", "--sequence-length", "8", "--out", "child"),
}
WRONG: tuple[Any, ...] = (None, True, -1, 2**70, float("nan"), "", "x" * 300, [], {}, [[1]], "\ud800")


TRAINED = ("finetune", "full")


@pytest.fixture(
    scope="module", params=[pytest.param(name, marks=[pytest.mark.faults] * (name in TRAINED)) for name in MADE]
)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A child of lineal's and its parents; commands run where they lie, each with a registry of its own."""
    folder = tmp_path_factory.mktemp("made")
    for seed, name in enumerate("abc"):
        make_llama(folder / name, seed=seed, dtype=np.float32, **SMALL)
    (folder / "a" / "LICENSE").write_text("Apache License\n")
    (folder / "text.txt").write_text("the cat sat on the mat\n" * 20)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("LINEAL_REGISTRY", "first/registry.db")
        assert main(MADE[request.param]) == 0
        yield next(path for path in (folder / "child.gguf", folder / "child") if path.exists())


def edits(record: Any) -> Iterator[tuple[tuple[Any, ...], Callable[[], None]]]:
    """Each value of a record with a function that edits it in place; of many tensors the first two."""
    waiting: list[tuple[tuple[Any, ...], Any]] = [((), record)]
    while waiting:
        where, here = waiting.pop()
        keys = list(here)[:2] if where in (("tensors",), ("package",), ("files",)) else list(here)
        for key in keys if isinstance(here, dict) else range(len(here)):
            path = (*where, key)
            value = here[key]
            if isinstance(value, dict | list) and value:
                waiting.append((path, value))
                if isinstance(value, list) and value != value[::-1]:
                    yield path, value.reverse
                if isinstance(value, list) and where:
                    yield path, lambda value=value: value.append(value[0])
            else:
                yield path, lambda here=here, key=key, value=value: here.__setitem__(key, other(value))


def is_outside(where: tuple[Any, ...]) -> bool:
    """Of the derivation id, and told by nothing else, or a card's, which people write on: docs/identity.md says so."""
    return where[0] == "environment" or where[:2] == ("files", "README.md") or where[::2] == ("inputs", "name")


def other(value: Any) -> Any:
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str() if value.startswith("b3:"):
            return f"b3:{value[4:]}{value[3]}" if value[4:] + value[3] != value[3:] else f"b3:{'0' * 64}"
        case str():
            return f"{value}x"
        case _:
            return "x"


def edited(made: Path) -> Iterator[tuple[Any, ...]]:
    """The place of each edit, the file being so edited meanwhile."""
    path = record_path(made)
    original = path.read_text()
    count = len(list(edits(json.loads(original))))
    try:
        for number in range(count):
            record = json.loads(original)
            where, edit = list(edits(record))[number]
            edit()
            path.write_text(json.dumps(record))
            yield where
    finally:
        path.write_text(original)


def test_every_edit_is_noticed_where_a_record_is_read_or_its_model_is_added_and_verified(
    made: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    missed: dict[tuple[Any, ...], list[str]] = {}
    for number, where in enumerate(edited(made)):
        try:
            _ = read_provenance(made)
        except CheckpointError:
            continue
        monkeypatch.setenv("LINEAL_REGISTRY", str(tmp_path / f"{number}.db"))
        passed = [verb for verb in ("verify", "add") if main((verb, f"./{made.name}")) == 0]
        if passed:
            missed[where] = passed
    unseen = {where for where in missed if not is_outside(where)}
    assert not unseen, missed
    assert missed, "the names of inputs and the environment are told by nothing else"


@contextmanager
def forged(made: Path) -> Iterator[None]:
    """Another density, by somebody who works the id out again: as a record alone it holds."""
    path = record_path(made)
    original = path.read_text()
    record = json.loads(original)
    record["step"]["options"]["density"] = 0.9
    record["derivation_id"] = format_hash(Step.from_json(record["step"]).derivation_id)
    path.write_text(json.dumps(record))
    try:
        yield
    finally:
        path.write_text(original)


@pytest.mark.parametrize("made", ["merge"], indirect=True)
def test_a_registry_that_knows_the_step_sees_another_claim(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with forged(made):
        assert read_provenance(made) is not None
        assert main(("verify", f"./{made.name}")) == 1
        assert "options.density is 0.9, known 0.3" in capsys.readouterr().out


@pytest.mark.parametrize("made", ["merge"], indirect=True)
def test_a_forged_step_that_came_first_is_contradicted_and_the_model_holds(
    made: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LINEAL_REGISTRY", str(tmp_path / "registry.db"))
    assert main(("add", "./a", "./b", "./c")) == 0
    with forged(made):
        assert main(("add", f"./{made.name}")) == 0
        assert main(("verify", f"./{made.name}")) == 1  # no step that is known gives these bytes
    assert main(("add", f"./{made.name}")) == 0
    capsys.readouterr()
    assert main(("verify", f"./{made.name}")) == 0
    assert "does not give it: tensor" in capsys.readouterr().out
    with Registry.open_existing(tmp_path / "registry.db") as registry:
        (model,) = {name.model_hash for name in registry.names() if name.name == made.name}
        grades = [(step.step.options["density"], step.evidence.value) for step in registry.steps_of(model)]
    assert sorted(grades) == [(0.3, "replayed"), (0.9, "contradicted")]


def test_a_value_of_a_wrong_type_anywhere_is_one_error(made: Path) -> None:
    path = record_path(made)
    original = path.read_text()
    places = list(dict.fromkeys(where for where, _ in edits(json.loads(original))))
    try:
        for where in [*places, *((key,) for key in json.loads(original))]:
            for wrong in WRONG:
                record = json.loads(original)
                put(record, where, wrong)
                path.write_text(json.dumps(record))
                with suppress(CheckpointError):
                    _ = read_provenance(made)
    finally:
        path.write_text(original)


def put(here: Any, keys: tuple[Any, ...], value: Any) -> None:
    for key in keys[:-1]:
        here = here[key]
    here[keys[-1]] = value


def test_an_added_or_changed_licence_file_is_noticed(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if made.is_file() or not (made / "LICENSE").exists():
        pytest.skip("no licence file travels with it")
    original = (made / "LICENSE").read_bytes()
    (made / "NOTICE").write_text("another")
    assert main(("verify", f"./{made.name}")) == 1
    assert "other licence files" in capsys.readouterr().out
    (made / "NOTICE").unlink()
    (made / "LICENSE").write_text("another")
    assert main(("verify", f"./{made.name}")) == 1
    (made / "LICENSE").write_bytes(original)
    assert main(("verify", f"./{made.name}")) == 0
