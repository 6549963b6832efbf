"""An importance matrix from a text, as llama.cpp's tool measures it: chunk by chunk, here block by block.

The text's tokens are one row, begun as the tokenizer begins a text, and cut into chunks of `context`; what is left over
is not read. Where a text begins with a token, such as <s>, it takes the place of each chunk's first. Of every matrix in
the blocks, routers too, the squares of what it multiplies are summed over all tokens; of experts, over those that the
router gives them. The output head is not measured, and nor is the embedding.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias, final

import numpy as np
from transformers import PreTrainedTokenizerBase

from lineal.checkpoint.importance.matrix import Importance, ImportanceMatrix
from lineal.checkpoint.names.tensor_names import BLOCK
from lineal.engines.calibrate.block import WalkedBlock
from lineal.engines.calibrate.decoder import Call, Decoder
from lineal.engines.calibrate.freed_memory import give_back
from lineal.engines.calibrate.hidden_states import HiddenStates
from lineal.engines.calibrate.layer import load_layer, unload_layer
from lineal.engines.calibrate.samples import check_tokens
from lineal.engines.gguf.architectures import architecture_to_write
from lineal.engines.gguf.config_keys import dimensions_of_config
from lineal.engines.gguf.stored import Stored, stored_tensors
from lineal.engines.parents.model import Model
from lineal.engines.text.documents import Tokens, read_documents
from lineal.engines.text.encoding import Encoder, Remark
from lineal.errors import MethodError, StorageError
from lineal.methods.input_statistics import ColumnSquares

BlocksDone: TypeAlias = Callable[[int, int], None]
_NAME = "imatrix"
_LEAST_CHUNKS = 2
"""llama.cpp's tool refuses shorter texts, too."""


@final
@dataclass(frozen=True)
class Measuring:
    """context: tokens a chunk; chunks: at most so many, None: all; folder: for what is forgotten at the end."""

    model: Model
    tokenizer: PreTrainedTokenizerBase
    folder: Path
    context: int = 512
    chunks: int | None = None
    threads: int | None = None
    remark: Remark = field(default=lambda _: None)
    blocks_done: BlocksDone = field(default=lambda _done, _total: None)

    def matrix(self, text: Path) -> ImportanceMatrix:
        """What is measured on a text, in the tensors' names in a GGUF."""
        stored = self._stored()
        decoder = Decoder(self.model)
        chunks = self._chunks(text, decoder)
        entries: dict[str, Importance] = {}
        with TemporaryDirectory(prefix=".lineal-imatrix-", dir=self.folder) as scratch:
            walk = _Measured(self, decoder, chunks, Path(scratch))
            for index, squares in walk.blocks():
                entries |= _entries(stored.get(index, ()), squares)
        unseen = {name: int((entry.counts == 0).sum()) for name, entry in entries.items()}
        for name, count in unseen.items():
            if count:
                self.remark(f"{count} of {len(entries[name].counts)} experts of {name} have seen no token of the text")
        return ImportanceMatrix(entries, (text.name,), len(chunks), self.context)

    def _stored(self) -> Mapping[int, Sequence[Stored]]:
        """The matrices in the blocks of a GGUF of the model, by block."""
        config, name = self.model.config, self.model.name
        row = architecture_to_write(config, name)
        found: dict[int, list[Stored]] = {}
        for one in stored_tensors(row, dimensions_of_config(row, config, tied=self.model.tied)):
            match = BLOCK.fullmatch(one.name)
            if match is not None and len(one.part) == 2:
                found.setdefault(int(match["number"]), []).append(one)
        return found

    def _chunks(self, text: Path, decoder: Decoder) -> Tokens:
        if self.context < 2 or (decoder.positions is not None and self.context > decoder.positions):
            raise MethodError(
                f"{_NAME}: context must be in [2, {decoder.positions}], the model's positions, got {self.context}"
            )
        encoder = Encoder(self.tokenizer, self.remark)
        row = np.concatenate(encoder.documents(read_documents(text)))
        if encoder.after and row[-len(encoder.after) :].tolist() == encoder.after:
            row = row[: -len(encoder.after)]
        count = len(row) // self.context
        if count < _LEAST_CHUNKS:
            raise StorageError(
                f"{_NAME}: {text}: {len(row):,} tokens; {_LEAST_CHUNKS} chunks of {self.context} are needed at least"
            )
        chunks = row[: count * self.context].reshape(count, self.context)[: self.chunks].copy()
        if encoder.before:
            chunks[:, : len(encoder.before)] = encoder.before
        check_tokens(_NAME, chunks, decoder.rows, self.tokenizer, self.model.name)
        return chunks


@final
@dataclass(frozen=True)
class _Measured:
    """Block by block what its matrices multiply, while the hidden states go from one file to the next."""

    asked: Measuring
    decoder: Decoder
    chunks: Tokens
    scratch: Path

    def blocks(self) -> Generator[tuple[int, Mapping[str, ColumnSquares]]]:
        samples, context = self.chunks.shape
        count = len(self.decoder.layers)
        with ExitStack() as files:
            before, behind = (
                files.enter_context(HiddenStates(self.scratch / name, (samples, context, self.decoder.width), new=True))
                for name in ("one", "other")
            )
            calls = self.decoder.embed(self.chunks, before)
            for index in range(count):
                yield index, self._block(index, calls[index], before, behind)
                before, behind = behind, before
                give_back()
                self.asked.blocks_done(index + 1, count)

    def _block(self, index: int, call: Call, before: HiddenStates, behind: HiddenStates) -> Mapping[str, ColumnSquares]:
        layer = load_layer(self.decoder, index, call, threads=self.asked.threads)
        matrices = {name: None for name, values in layer.tensors.items() if values.ndim == 2}
        block = WalkedBlock(_NAME, layer, matrices, before, folds=False)
        squares = {shared: ColumnSquares(shared.columns) for shared in block.shared_inputs}
        _ = block.run({shared: [one] for shared, one in squares.items()}, behind)
        unload_layer(layer)
        return {name: one for shared, one in squares.items() for name in shared.layers}


def _entries(stored: Sequence[Stored], squares: Mapping[str, ColumnSquares]) -> Mapping[str, Importance]:
    """By names in a GGUF: experts in one."""
    found: dict[str, Importance] = {}
    for one in stored:
        parts = [squares[name] for name in one.published]
        sums = np.stack([part.sums for part in parts]).astype(np.float32)
        counts = np.array([part.tokens for part in parts], np.int64)
        if counts.any():
            found[one.name] = Importance(sums, counts)
    return found
