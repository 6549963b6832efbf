"""A GGUF as a parent: its tensors under transformers' names, and the package that its metadata makes."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from gguf import GGMLQuantizationType, TokenType, dequantize

from lineal.checkpoint.headers.gguf_metadata import Value
from lineal.checkpoint.headers.safetensors import TensorSpec
from lineal.checkpoint.headers.storage import BLOCKS
from lineal.checkpoint.package import config_content
from lineal.checkpoint.reader import Checkpoint
from lineal.engines.gguf.architectures import architecture_of
from lineal.engines.gguf.config_keys import config_of
from lineal.engines.gguf.metadata_keys import dimensions_of_gguf
from lineal.engines.gguf.tensors import GgufTensor, published_tensors
from lineal.engines.gguf.tokenizer_back import chat_template, special_tokens, tokenizer_json
from lineal.engines.gguf.tokenizer_endings import further_endings
from lineal.errors import CheckpointError
from lineal.shown import quoted

_TOKENS, _KINDS = "tokenizer.ggml.tokens", "tokenizer.ggml.token_type"


def gguf_tensors(checkpoint: Checkpoint) -> dict[str, GgufTensor]:
    """transformers' name -> where its values lie."""
    found = published_tensors(checkpoint)
    for tensor in found.values():
        _check_type(checkpoint, tensor.spec)
    return found


def gguf_config(checkpoint: Checkpoint) -> dict[str, Any]:
    """The config.json of the model that transformers would make of it."""
    special = special_tokens(checkpoint)
    ids: dict[str, Any] = {f"{role}_token_id": index for role, (_, index) in special.items() if role != "unk"}
    endings = [*([ids["eos_token_id"]] if "eos" in special else []), *further_endings(checkpoint)]
    if len(set(endings)) > 1:
        ids["eos_token_id"] = list(dict.fromkeys(endings))
    row = architecture_of(checkpoint)
    return {**config_of(row, dimensions_of_gguf(row, checkpoint)), **ids}


def gguf_vocabulary(checkpoint: Checkpoint) -> dict[str, int] | None:
    """Token -> id, without those that only fill the embedding up; None where it has no tokens."""
    tokens, kinds = (_content(checkpoint.metadata.get(key)) for key in (_TOKENS, _KINDS))
    if not tokens:
        return None
    unused = {index for index, kind in enumerate(kinds) if kind == TokenType.UNUSED}
    return {str(token): index for index, token in enumerate(tokens) if index not in unused}


def gguf_package_files(checkpoint: Checkpoint, config: Mapping[str, Any]) -> dict[str, bytes]:
    """Config and tokenizer as files; the tokenizer gives texts the ids that llama.cpp gives them."""
    roles = {f"{role}_token": token for role, (token, _) in special_tokens(checkpoint).items()}
    template = chat_template(checkpoint)
    settings: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": False,
        "model_max_length": config["max_position_embeddings"],
        **roles,
        **({} if template is None else {"chat_template": template}),
    }
    return {
        "config.json": config_content(config),
        "tokenizer.json": json.dumps(tokenizer_json(checkpoint), ensure_ascii=False).encode(),
        "tokenizer_config.json": config_content(settings),
    }


def _check_type(checkpoint: Checkpoint, spec: TensorSpec) -> None:
    """Refuse a type that nothing can decode, before any of it is read."""
    if spec.dtype in BLOCKS:
        try:
            _ = dequantize(np.zeros(BLOCKS[spec.dtype][1], np.uint8), GGMLQuantizationType[spec.dtype])
        except NotImplementedError:
            raise CheckpointError(
                f"{checkpoint.path}: {quoted(spec.name)} is {spec.dtype}, which cannot be decoded"
            ) from None


def _content(value: Value | None) -> tuple[Any, ...]:
    return value.content if value is not None and isinstance(value.content, tuple) else ()
