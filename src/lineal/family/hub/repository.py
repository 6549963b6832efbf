"""Originals from the Hugging Face Hub, at one commit: HF_TOKEN, HF_HUB_OFFLINE and its cache are honoured."""

import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from lineal.errors import StorageError

COMMIT = re.compile(r"[0-9a-f]{40}")
_SMALL = ["*.json", "tokenizer*", "*.model", "*.jinja", "*.txt", "LICENSE*", "NOTICE*", "*.md"]
_WANTED = ["*.safetensors", *_SMALL]
_WEIGHTS = ["*.safetensors", "*.gguf", "*.bin"]


def snapshot(repository: str, revision: str) -> Path:
    """The folder of a repository at a commit, from the cache or downloaded; never its code or pickles."""
    from huggingface_hub import snapshot_download

    with hub_errors(repository, revision):
        return Path(snapshot_download(repository, revision=revision, allow_patterns=_WANTED))


def cached_snapshot(repository: str, revision: str) -> Path | None:
    """The folder of a repository at a commit if the cache holds all of it, else None; nothing is requested."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        found = snapshot_download(repository, revision=revision, allow_patterns=_WANTED, local_files_only=True)
    except LocalEntryNotFoundError:
        return None
    return Path(found)


def commit_of(repository: str, revision: str | None) -> str:
    """The commit that a branch or a tag is at now, where the hub can be asked, else when it was last downloaded."""
    from huggingface_hub import HfApi, constants, snapshot_download

    if revision is not None and COMMIT.fullmatch(revision):
        return revision
    named = revision or constants.DEFAULT_REVISION
    with hub_errors(repository, named):
        if constants.HF_HUB_OFFLINE:
            return Path(snapshot_download(repository, revision=named, allow_patterns=[], local_files_only=True)).name
        return str(HfApi().model_info(repository, revision=named).sha)


def hub_cache() -> Path:
    """Where downloads go."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def small_files(repository: str, revision: str) -> Path:
    """The cache's folder with everything that is wanted but weights; where others lie there, they stay."""
    from huggingface_hub import snapshot_download

    return Path(snapshot_download(repository, revision=revision, allow_patterns=_SMALL, ignore_patterns=_WEIGHTS))


@contextmanager
def hub_errors(repository: str, revision: str) -> Generator[None]:
    """What the hub, the network or the disk refuses, as one line."""
    from httpx2 import HTTPError
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        yield
    except (LocalEntryNotFoundError, HfHubHTTPError, HTTPError, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise StorageError(f"{repository}@{revision[:12]}: not to be had from the hub or its cache: {reason}") from None
