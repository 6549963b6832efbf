"""Quantizations for tests: a parent on disk, its GGUF beside it."""

from pathlib import Path
from typing import Any

from lineal.checkpoint.reader import open_checkpoint
from lineal.checkpoint.written.writer import CheckpointWriter
from lineal.engines.parents.model import full_model
from lineal.engines.quantize.gguf_plan import plan_gguf
from lineal.engines.stream.engine import DataHashes, stream
from lineal.engines.stream.open_files import OpenFiles
from lineal.engines.stream.plan import StreamPlan
from lineal.engines.stream.whole import whole
from lineal.methods.quantize.gguf import GgufQuantization

Q = "model.layers.1.self_attn.q_proj"
LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}


def plan(parent: Path, scheme: str = "f32", adapter: Path | None = None) -> StreamPlan:
    model = full_model(parent.name, open_checkpoint(parent), open_checkpoint(adapter) if adapter else None)
    return plan_gguf(GgufQuantization(scheme=scheme), model)


def write(planned: StreamPlan, out: Path, **options: Any) -> DataHashes:
    with CheckpointWriter(out, planned.child.lay_out(planned.planned), "key") as writer:
        hashes = stream(planned.jobs, writer, **options)
        writer.seal()
        planned.child.write_package(out)
    return hashes


def quantize(parent: Path, out: Path, scheme: str = "f32", adapter: Path | None = None, **options: Any) -> Path:
    """The GGUF file."""
    write(plan(parent, scheme, adapter), out, **options)
    (file,) = out.glob("*.gguf")
    return file


def weights(path: Path) -> dict[str, Any]:
    """transformers' name of each tensor and its values, decoded, in float32."""
    with OpenFiles() as files:
        return {key: whole(source, files) for key, source in full_model("m", open_checkpoint(path)).sources.items()}
