"""The tokens that end an answer: GGUF names one as eos, two more as eot and eom, and llama.cpp knows some by sight."""

from collections.abc import Iterator, Mapping

from gguf import GGUFValueType

from lineal.checkpoint.headers.gguf_metadata import Value
from lineal.checkpoint.reader import Checkpoint
from lineal.engines.tokenizers.tokenizer_files import TokenizerFiles
from lineal.shown import quoted

ENDING_KEYS = ("tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id")
ENDS_BY_SIGHT = frozenset(
    {
        *("</s>", "<eos>", "<EOT>", "_<EOT>", "[EOT]", "[EOS]", "[e~[", "<end_of_turn>", "<end_of_utterance>"),
        *("<|eot_id|>", "<|eom_id|>", "<|im_end|>", "<|end|>", "<|endoftext|>", "<|end_of_text|>"),
        *("<|return|>", "<|call|>", "<|calls|>", "<|flush|>", "<turn|>", "<|tool_response>", "<｜end▁of▁sentence｜>"),
    }
)
"""What llama.cpp takes for the end of an answer by its spelling, and out of a text before it is cut."""


def ending_faults(files: TokenizerFiles) -> Iterator[str]:
    wrong = [found for found in _listed(files) if type(found) is not int]
    if wrong:
        yield f"eos_token_id lists {quoted(wrong[0])}, which is no token's id"


def ending_metadata(files: TokenizerFiles) -> Mapping[str, Value]:
    found = zip(ENDING_KEYS, _untold(files), strict=False)
    return {key: Value(GGUFValueType.UINT32, index) for key, index in found}


def ending_remarks(files: TokenizerFiles) -> Iterator[str]:
    named = {index: token for token, index in files.vocabulary.items()}
    for index in _untold(files)[len(ENDING_KEYS) :]:
        yield f"llama.cpp does not stop at {quoted(named[index])}: a GGUF names three tokens that end an answer"
    added = {token["content"] for token in files.added}
    for token in sorted(ENDS_BY_SIGHT & (files.vocabulary.keys() - added)):
        yield f"llama.cpp takes {quoted(token)} for the end of an answer, and out of a text before it is cut"


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
