"""Originals from the Hugging Face Hub, at one commit: HF_TOKEN, HF_HUB_OFFLINE and its cache are honoured."""

from pathlib import Path

from lineal.errors import StorageError

_WANTED = ["*.safetensors", "*.json", "tokenizer*", "*.model", "*.jinja", "*.txt", "LICENSE*", "NOTICE*", "*.md"]


def snapshot(repository: str, revision: str) -> Path:
    """The folder of a repository at a commit, from the cache or downloaded; never its code or pickles."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(repository, revision=revision, allow_patterns=_WANTED))
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise StorageError(f"{repository}@{revision[:12]}: not to be had from the hub or its cache: {reason}") from None
