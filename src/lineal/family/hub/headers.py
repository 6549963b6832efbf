"""A model on the Hub as its headers tell: small files whole, of each weight file the header and not one byte more."""

import re
import shutil
from pathlib import Path

from lineal.checkpoint.headers.safetensors import LARGEST_HEADER
from lineal.checkpoint.reader import HEADERS_ONLY, Checkpoint, open_headers
from lineal.errors import StorageError
from lineal.family.hub.repository import hub_errors, small_files
from lineal.shown import quoted

_PREFIX = 8
_SECONDS = 30.0
_TOTAL = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


def read_headers(repository: str, revision: str, folder: Path) -> Checkpoint:
    """A stand-in for the model in an empty folder: weight files hold their headers, and behind them only a hole."""
    from huggingface_hub import HfApi, hf_hub_url
    from huggingface_hub.hf_api import RepoFile

    folder.mkdir(parents=True)
    (folder / HEADERS_ONLY).touch()
    with hub_errors(repository, revision):
        package = small_files(repository, revision)
        weights = shutil.ignore_patterns("*.safetensors", "*.gguf")
        shutil.copytree(package, folder, ignore=weights, dirs_exist_ok=True)
        for file in HfApi().list_repo_tree(repository, revision=revision):
            if isinstance(file, RepoFile) and _is_weights(file.path):
                url = hf_hub_url(repository, file.path, revision=revision)
                _stand_in(folder / file.path, f"{repository}/{file.path}", url, file.size)
    return open_headers(folder)


def _is_weights(path: str) -> bool:
    return path == Path(path).name and path.endswith(".safetensors") and "\0" not in path


def _stand_in(path: Path, label: str, url: str, size: int) -> None:
    prefix = _read_range(url, 0, _PREFIX, size, label)
    length = int.from_bytes(prefix, "little")
    if length > min(LARGEST_HEADER, size - _PREFIX):
        raise StorageError(f"{label}: a header of {length} bytes in a file of {size}; at most {LARGEST_HEADER}")
    header = _read_range(url, _PREFIX, length, size, label) if length else b""
    with path.open("xb") as file:
        file.write(prefix + header)
        file.truncate(size)


def _read_range(url: str, start: int, length: int, size: int, label: str) -> bytes:
    """Exactly these bytes; a server that sends others, more or fewer is refused before it is read to its end."""
    from huggingface_hub.utils import build_hf_headers, hf_raise_for_status, http_stream_backoff

    wanted = {"range": f"bytes={start}-{start + length - 1}", "accept-encoding": "identity"}
    with http_stream_backoff("GET", url, headers={**build_hf_headers(), **wanted}, timeout=_SECONDS) as response:
        hf_raise_for_status(response)
        told = _TOTAL.fullmatch(response.headers.get("content-range", ""))
        if response.status_code != 206 or told is None:
            raise StorageError(f"{label}: the server does not answer range requests")
        if tuple(map(int, told.groups())) != (start, start + length - 1, size):
            raise StorageError(f"{label}: bytes {start} to {start + length} of {size} asked, {quoted(told[0])} sent")
        taken = bytearray()
        for chunk in response.iter_raw():
            taken += chunk
            if len(taken) > length:
                break
    if len(taken) != length:
        raise StorageError(f"{label}: {length} bytes asked, {'more' if len(taken) > length else len(taken)} sent")
    return bytes(taken)
