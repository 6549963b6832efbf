"""White space beside tokens: llama.cpp drops it behind those of models whose name says Phi-3, and nowhere else."""

from collections.abc import Iterator

from lineal.checkpoint.tokenizer_types import TOKENIZER
from lineal.engines.tokenizers.tokenizer_files import TokenizerFiles
from lineal.shown import quoted

_NAMES = ("phi-3", "phi3")
_KEEPING = frozenset({"<unk>", "<s>", "<|endoftext|>"})
_NEEDED = _KEEPING | {"</s>"}
"""Without them llama.cpp does not open a model of that name."""


def drops(name: str, token: str) -> bool:
    """Whether llama.cpp drops white space behind a token of a model of this name."""
    return _is_phi3(name) and token not in _KEEPING


def white_space_faults(files: TokenizerFiles, name: str) -> Iterator[str]:
    missing = sorted(_NEEDED - files.vocabulary.keys()) if _is_phi3(name) else []
    if missing:
        lacks = ", ".join(missing)
        yield f"llama.cpp takes what is named {quoted(name)} for a Phi-3, and it has no token {lacks}: rename it"
        return
    for token in files.added:
        content = token["content"]
        if token.get("lstrip") or token.get("single_word"):
            yield f"{TOKENIZER}: {quoted(content)} minds the characters beside it, which llama.cpp would not"
        elif bool(token.get("rstrip")) != drops(name, content):
            does = "drops" if token.get("rstrip") else "keeps"
            yield (
                f"{TOKENIZER}: {does} white space behind {quoted(content)}; llama.cpp drops it where a model's name, "
                f"here {quoted(name)}, says phi-3, behind all tokens but {', '.join(sorted(_KEEPING))}"
            )


def _is_phi3(name: str) -> bool:
    return any(known in name.lower() for known in _NAMES)
