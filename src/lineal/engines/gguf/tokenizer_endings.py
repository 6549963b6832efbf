"""The tokens that end an answer: GGUF names one as eos, more as eot and eom, and llama.cpp knows some by sight."""

from collections.abc import Iterator, Mapping

from gguf import GGUFValueType

from lineal.checkpoint.headers.gguf_metadata import Value
from lineal.checkpoint.reader import Checkpoint
from lineal.engines.tokenizers.tokenizer_files import TokenizerFiles
from lineal.shown import quoted

ENDING_KEYS = ("tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id")
_TURNS_BY_SIGHT = frozenset(
    {
        *("<EOT>", "_<EOT>", "[EOT]", "<end_of_turn>", "<end_of_utterance>", "<｜end▁of▁sentence｜>"),
        *("<|eot_id|>", "<|im_end|>", "<|end|>", "<|endoftext|>", "<|end_of_text|>"),
    }
)
"""One of these is llama.cpp's eot where no key says another."""
ENDS_BY_SIGHT = _TURNS_BY_SIGHT | {
    *("</s>", "<eos>", "[EOS]", "[e~[", "<|eom_id|>", "<|return|>", "<|call|>", "<|calls|>", "<|flush|>", "<turn|>"),
    "<|tool_response>",
}
"""What llama.cpp takes for the end of an answer by its spelling, and out of a text before it is cut."""


def ending_faults(files: TokenizerFiles) -> Iterator[str]:
    wrong = [found for found in _listed(files) if type(found) is not int]
    if wrong:
        yield f"eos_token_id lists {quoted(wrong[0])}, which is no token's id"


def ending_metadata(files: TokenizerFiles) -> Mapping[str, Value]:
    found = zip(_keys(files), _untold(files), strict=False)
    return {key: Value(GGUFValueType.UINT32, index) for key, index in found}


def ending_remarks(files: TokenizerFiles) -> Iterator[str]:
    named = {index: token for token, index in files.vocabulary.items()}
    for index in _untold(files)[len(_keys(files)) :]:
        yield f"llama.cpp does not stop at {quoted(named[index])}: a GGUF has no key left that would say so"
    added = {token["content"] for token in files.added}
    for token in sorted(ENDS_BY_SIGHT & (files.vocabulary.keys() - added)):
        yield f"llama.cpp takes {quoted(token)} for the end of an answer, and out of a text before it is cut"


def _keys(files: TokenizerFiles) -> tuple[str, ...]:
    """Those that are free: eot is more than an end to llama.cpp, so what it sees by itself stays."""
    return ENDING_KEYS if _TURNS_BY_SIGHT.isdisjoint(files.vocabulary) else ENDING_KEYS[1:]


def _untold(files: TokenizerFiles) -> list[int]:
    """What else ends an answer, of which llama.cpp would not know."""
    named = {index: token for token, index in files.vocabulary.items()}
    told = {files.special_id("eos"), *(index for index, token in named.items() if token in ENDS_BY_SIGHT)}
    return [index for index in dict.fromkeys(_listed(files)) if index in named and index not in told]


def _listed(files: TokenizerFiles) -> list[int]:
    found = (config.get("eos_token_id") for config in (files.generation, files.config))
    return next((ids for ids in found if isinstance(ids, list)), [])


def further_endings(checkpoint: Checkpoint) -> list[int]:
    """What a GGUF names beside eos."""
    found = (checkpoint.metadata.get(key) for key in ENDING_KEYS)
    return [value.content for value in found if value is not None and isinstance(value.content, int)]
