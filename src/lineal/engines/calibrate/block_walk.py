"""The walk: one block after the other is read, shown the samples, changed, written and forgotten.

What stands before the next block, of all samples, is behind the changed one. It lies in a file in the folder of
unfinished work, so that a killed run goes on with the block that it was in, and memory holds one block at a time.
"""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias, final

from lineal.checkpoint.written.writer import CheckpointWriter
from lineal.engines.calibrate.block import WalkedBlock
from lineal.engines.calibrate.block_tensors import BlockTensors
from lineal.engines.calibrate.decoder import Call, Decoder
from lineal.engines.calibrate.freed_memory import give_back
from lineal.engines.calibrate.hidden_states import HiddenStates
from lineal.engines.calibrate.layer import load_layer, unload_layer
from lineal.engines.calibrate.plan import WalkPlan
from lineal.engines.stream.compound import tensors_of
from lineal.engines.stream.engine import DataHashes, stream
from lineal.engines.text.documents import Tokens
from lineal.methods.calibrated import CalibratedMethod

BlocksDone: TypeAlias = Callable[[int], None]


@final
@dataclass(frozen=True)
class Walk:
    """method: works on each block; samples: token ids [samples, context]; folder: of unfinished work."""

    method: CalibratedMethod
    decoder: Decoder
    samples: Tokens
    plan: WalkPlan
    folder: Path
    threads: int | None = None
    blocks_done: BlocksDone = field(default=lambda _: None)

    def run(self, writer: CheckpointWriter) -> DataHashes:
        """Write every tensor of the child that the writer does not have; data hashes of all that was read for it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        _ = stream(self.plan.outside, writer, threads=self.threads)
        first = self._resumed(writer)
        calls = self._begin(first)
        self.blocks_done(first)
        for index in range(first, len(self.plan.blocks)):
            self._walk_block(writer, index, calls[index])
            give_back()
            self.blocks_done(1)
        return stream([task for tasks in (self.plan.outside, *self.plan.blocks) for task in tasks], writer)

    def _walk_block(self, writer: CheckpointWriter, index: int, call: Call) -> None:
        layer = load_layer(self.decoder, index, call, threads=self.threads)
        with self._states(index) as before:
            linear, packed = self.plan.linear_of(index), self.plan.packed_of(index)
            block = WalkedBlock(self.method.name, layer, linear, before, packed=packed)
            tensors = BlockTensors(self.method.name, layer, self.plan.blocks[index], writer, self.threads)
            for rounded in self.method.work_on(block):
                tensors.write_rounded(rounded)
                block.take(rounded)
            tensors.write_rest(block.changed)
            if index + 1 < len(self.plan.blocks):
                with self._states(index + 1, new=True) as behind:
                    _ = block.run({}, behind)
                    behind.keep()
                before.remove()
        unload_layer(layer)

    def _resumed(self, writer: CheckpointWriter) -> int:
        """The block that a killed run was in; all before it must be in the child, whole."""
        for index in range(len(self.plan.blocks) - 1, 0, -1):
            done = (
                tensor.name in writer.leaves
                for tasks in self.plan.blocks[:index]
                for task in tasks
                for tensor in tensors_of(task)
            )
            if self._path(index).exists() and all(done):
                return index
        return 0

    def _begin(self, first: int) -> Sequence[Call]:
        """What the layers are called with, and what stands before the first, unless that is there."""
        if first and self._path(first).exists():
            return self.decoder.calls(self.samples)
        with self._states(0, new=True) as states:
            calls = self.decoder.embed(self.samples, states)
            states.keep()
        return calls

    @contextmanager
    def _states(self, index: int, *, new: bool = False) -> Generator[HiddenStates]:
        shape = (*self.samples.shape, self.decoder.width)
        with HiddenStates(self._path(index), (shape[0], shape[1], shape[2]), new=new) as states:
            yield states

    def _path(self, index: int) -> Path:
        return self.folder / f"before-{index:05}.f32"
