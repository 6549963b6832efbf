"""What must hold after any command on any input: it ends, says why in plain lines, loses and fetches nothing."""

import io
import signal
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from blake3 import blake3

from lineal.cli.entry import main
from tests.builders import read_folder
from tests.storm.commands import Command
from tests.storm.house import SECRET

SECONDS = 20
LONGEST = 4000
"""Characters of a line on stderr; a line of several faults holds several values of at most 200."""
MEAN = ("merge", "./a", "./b", "--method", "linear")
OURS = (".lineal", ".locks", "out", ".out", "__pycache__")


class Hanging(BaseException):
    """A command that does not end: no error of lineal's is made of it."""


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


@contextmanager
def bounded(seconds: float) -> Iterator[None]:
    def stop(number: int, frame: FrameType | None) -> None:
        raise Hanging

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def outcome(words: tuple[str, ...], seconds: float = SECONDS) -> Outcome:
    out, err = io.StringIO(), io.StringIO()
    with bounded(seconds), redirect_stdout(out), redirect_stderr(err):
        code = main(words)
    return Outcome(code, out.getvalue(), err.getvalue())


def contents(folder: Path) -> dict[str, bytes]:
    """What every regular file below holds; links are not followed."""
    found = {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink() or not path.is_file() or ".lineal" in path.parts:
            continue
        found[name] = blake3(path.read_bytes()).digest()
    return found


def faults(command: Command, before: dict[str, bytes], said: Outcome, folder: Path) -> Iterator[str]:
    if said.code not in (0, 1, 2, 3):
        yield f"exit code {said.code}"
    if said.code in (2, 3) and not said.err:
        yield "an error without a word"
    yield from _unreadable(said, json="--json" in command.words or command.words[0] == "prove")
    after = contents(folder)
    allowed = (*OURS, *command.writes)
    for name in before.keys() | after.keys():
        if before.get(name) != after.get(name) and not name.startswith(allowed):
            yield f"{name} {'is gone' if name not in after else 'is new' if name not in before else 'was changed'}"
    made = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    fresh = [path for path in made if path.relative_to(folder).as_posix() not in before]
    yield from (f"{path.relative_to(folder)} holds what lies outside" for path in fresh if SECRET in path.read_bytes())
    if said.code in (2, 3):
        yield from (f"{path.name} survived a refusal" for path in folder.glob("**/.*.partial"))
    if said.code == 0 and command.words[:5] == MEAN and "--dry-run" not in command.words:
        yield from _wrong_means(folder)


def _unreadable(said: Outcome, *, json: bool) -> Iterator[str]:
    for stream, text in (("stdout", said.out), ("stderr", said.err)):
        odd = {c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") and c not in "\n\t"}
        if odd and not (json and stream == "stdout"):
            yield f"{stream} holds {sorted(odd)!r:.100}"
    if "Traceback" in said.err:
        yield "a traceback"
    if any(len(line) > LONGEST for line in said.err.splitlines()):
        yield f"a line of {max(map(len, said.err.splitlines()))} characters"


def _wrong_means(folder: Path) -> Iterator[str]:
    """Against what the safetensors library reads: a child of inputs that it refuses is no child."""
    try:
        left, right = read_folder(folder / "a"), read_folder(folder / "b")
    except Exception as error:  # noqa: BLE001 - whatever the library raises
        yield f"a merge of what the safetensors library refuses: {error!r}"
        return
    child = read_folder(folder / "out")
    if child.keys() != left.keys():
        yield f"tensors: {sorted(child.keys() ^ left.keys())!r:.200}"
        return
    for name, found in child.items():
        mean = ((left[name].astype("f8") + right[name].astype("f8")) / 2).astype(found.dtype)
        if found.shape != left[name].shape or abs(found.astype("f8") - mean.astype("f8")).max(initial=0) > 1e-6:
            yield f"{name} is not the mean"
