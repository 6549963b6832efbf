"""The calibration samples: windows of a text, all of one length, drawn by a seed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from transformers import PreTrainedTokenizerBase

from lineal.engines.text.documents import Tokens, read_all_documents
from lineal.engines.text.encoding import Encoder, Remark
from lineal.errors import CheckpointError, MethodError, StorageError
from lineal.methods.calibrated import CalibratedMethod
from lineal.randomness import uniforms

_CHOICE = "lineal.calibration"


def read_samples(
    method: CalibratedMethod, texts: Sequence[Path], tokenizer: PreTrainedTokenizerBase, remark: Remark | None = None
) -> Tokens:
    """Token ids [samples, context], in the order of the text.

    All documents are one row, with the token that ends a document between them. Where the tokenizer puts a token before
    a text, such as <s>, every window begins with it: models were trained to see it.
    """
    encoder = Encoder(tokenizer, remark)
    head = np.array(encoder.before, np.int32)
    step = method.context - len(head)
    if step < 1:
        raise MethodError(f"{method.name}: a context of {method.context} tokens holds no more than a text's beginning")
    row = _row(encoder.documents(read_all_documents(texts)), encoder.before, cast(Any, tokenizer).eos_token_id)
    windows = len(row) // step
    if windows < method.samples:
        names = ", ".join(str(path) for path in texts)
        raise StorageError(
            f"{method.name}: {names}: {len(row):,} tokens are {windows} windows of {method.context}, and "
            f"{method.samples} samples are asked for; give more text, or less of samples or context"
        )
    drawn = np.argsort(uniforms(method.seed, _CHOICE, 0, 0, windows), kind="stable")[: method.samples]
    chosen = row[: windows * step].reshape(windows, step)[np.sort(drawn)]
    return np.concatenate([np.broadcast_to(head, (len(chosen), len(head))), chosen], 1)


def check_tokens(method: str, samples: Tokens, rows: int, tokenizer: PreTrainedTokenizerBase, model: str) -> None:
    """Refuse tokens that the model has no rows for: they are of another model's tokenizer."""
    most = max(int(samples.max()) + 1, cast(Any, tokenizer).vocab_size)  # added ones may be more than there are rows
    if most > rows:
        raise CheckpointError(
            f"{method}: the tokenizer beside {model} has {most:,} tokens, its embedding {rows:,} rows: "
            "it is another model's"
        )


def _row(documents: Sequence[Tokens], before: Sequence[int], end: object) -> Tokens:
    """Every document without what the tokenizer put before it, and ended once."""
    ending = np.array([end] if isinstance(end, int) else [], np.int32)
    row = [np.empty(0, np.int32)]
    for document in documents:
        begun = bool(before) and document[: len(before)].tolist() == list(before)
        row.append(document[len(before) if begun else 0 :])
        if len(document) == 0 or document[-1:].tolist() != ending.tolist():
            row.append(ending)
    return np.concatenate(row)
