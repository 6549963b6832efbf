"""What lies in a model folder and may be read: nothing outside it, nothing that keeps a reader waiting."""

import os
import stat
from fnmatch import fnmatchcase
from pathlib import Path

from lineal.errors import CheckpointError

TEMPLATES = "additional_chat_templates"
MODULES = "[0-9]*_*"
"""Folders of sentence-transformers' modules."""


def regular_files(folder: Path) -> list[Path]:
    """The regular files of a model folder, its chat templates and modules; hidden ones are nobody's business.

    A link that leaves the folder, a linked folder, a pipe, socket or device among them is refused before any is opened;
    a link of a Hub cache's snapshot to a regular file among its own blobs is what a cache is made of.
    """
    found, folders = _listed(folder, folder)
    for below in (TEMPLATES, MODULES):
        for name in sorted(name for name in folders if fnmatchcase(name, below)):
            inside, _ = _listed(folder / name, folder)
            found += [path for path in inside if below == TEMPLATES or path.name == "config.json"]
    return found


def files_directly_in(folder: Path) -> list[Path]:
    """Those of them that lie in no folder within it."""
    return _listed(folder, folder)[0]


def is_utf8(text: str) -> bool:
    """Whether a text can be written: odd bytes in a file's name and escapes in JSON may be halves of pairs."""
    try:
        _ = text.encode()
    except UnicodeEncodeError:
        return False
    return True


def resolved(path: Path) -> Path:
    """Where a path leads; links that lead in a circle are refused."""
    try:
        return path.resolve()
    except (OSError, RuntimeError):  # which of the two depends on the Python
        raise CheckpointError(f"{path}: its links lead in a circle") from None


def require_regular(path: Path) -> None:
    """Refuse what is there and no regular file, before opening it: a pipe may never end, a device neither."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(mode):
        raise CheckpointError(f"{path}: {_kind(mode)}, where a file is needed")


def require_inside(path: Path) -> None:
    """Refuse a link that leads from a model's file, or from what is said beside it, to somewhere else."""
    if path.is_symlink():
        _check_link(path, path.parent)


def _listed(folder: Path, model: Path) -> tuple[list[Path], list[str]]:
    """The regular files directly in a folder of the model, each judged by itself, and the names of its folders."""
    files: list[Path] = []
    folders: list[str] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if not is_utf8(entry.name):
                raise CheckpointError(
                    f"{folder / entry.name}: its name is not UTF-8, which no index could hold: rename it"
                )
            if entry.is_symlink():
                _check_link(folder / entry.name, model)
                files.append(folder / entry.name)
            elif entry.is_file(follow_symlinks=False):
                files.append(folder / entry.name)
            elif entry.is_dir(follow_symlinks=False):
                folders.append(entry.name)
            else:
                kind = _kind(entry.stat(follow_symlinks=False).st_mode)
                raise CheckpointError(f"{folder / entry.name}: {kind}; a model folder holds files and folders alone")
    return files, folders


def _check_link(link: Path, model: Path) -> None:
    try:
        target = link.resolve(strict=True)
    except (OSError, RuntimeError):  # which of the two a circle of links is depends on the Python
        raise CheckpointError(f"{link}: a link that leads nowhere") from None
    if not target.is_file():
        raise CheckpointError(f"{link}: a link to {_kind(target.stat().st_mode)}, where a file is needed")
    if not target.is_relative_to(model.resolve()) and not _is_blob(link, model):
        raise CheckpointError(f"{link}: a link out of the model's folder, to {target}; put a copy in its place")


def _is_blob(link: Path, model: Path) -> bool:
    """Whether the link is a Hub cache's: to a regular file, no link again, in blobs/ beside the snapshots."""
    snapshot = model.resolve()
    named = Path(os.path.normpath(link.parent.resolve() / link.readlink()))
    is_cache = snapshot.parent.name == "snapshots" and named.parent == snapshot.parent.parent / "blobs"
    return is_cache and not named.is_symlink()


def _kind(mode: int) -> str:
    kinds = {
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a named pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    return kinds.get(stat.S_IFMT(mode), "no regular file")
