"""Trained tensors into a child's folder: safetensors in lineal's own layout, in the dtypes that it is to have."""

import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias, cast

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray
from transformers import PreTrainedModel

from lineal.checkpoint.codes.dtypes import FLOATS, encode, first_nonfinite
from lineal.checkpoint.headers.safetensors import TensorSpec
from lineal.checkpoint.layouts.views import seen
from lineal.checkpoint.names.prediction_head import prediction_head
from lineal.checkpoint.names.tensor_names import is_derived_buffer
from lineal.checkpoint.quantized.folder import is_quantized
from lineal.checkpoint.reader import Checkpoint, Form, open_checkpoint
from lineal.checkpoint.written.layout import Planned, lay_out
from lineal.checkpoint.written.writer import CheckpointWriter
from lineal.engines.parents.model import full_model
from lineal.engines.silence import silence
from lineal.engines.stream.source import Source
from lineal.errors import CheckpointError
from lineal.shown import quoted

Float32: TypeAlias = NDArray[np.float32]
DtypeOf: TypeAlias = Callable[[str], str]
"""The dtype, by safetensors' name for it, that a tensor is to be stored in."""


def trainable_dtypes(parent: Path) -> dict[str, str]:
    """The dtypes of a parent's weights, which full fine-tuning keeps; those that codes are decoded to.

    By published names, and without a head that transformers does not read.
    """
    found = trained_tensors(parent)
    for name, dtype in found.items():
        if dtype not in FLOATS:
            raise CheckpointError(f"{parent}: {name} is {dtype}; training needs floating-point weights")
    return found


def trained_tensors(parent: Path) -> dict[str, str]:
    """What transformers reads of a parent, by published names, and the dtype of each; decoded as a merge has it."""
    checkpoint = open_checkpoint(parent)
    if checkpoint.form == "gguf":
        return {name: source.dtype for name, source in full_model(str(parent), checkpoint).items()}
    found: Mapping[str, TensorSpec | Source]
    if is_quantized(checkpoint):
        found = full_model(str(parent), checkpoint).sources
    else:
        found = {name: spec for name, (_, spec) in _published(checkpoint).items()}
    head = prediction_head(found, checkpoint.config)
    return {
        name: one.dtype for name, one in found.items() if name not in head and not is_derived_buffer(name, one.shape)
    }


def write_model(model: PreTrainedModel, folder: Path, staging: Path, dtype_of: DtypeOf) -> frozenset[str]:
    """Write the weights under the names that checkpoints of this architecture have, tied ones once.

    Only transformers knows those names (loading may rename and fuse tensors), so it saves first, to `staging`: in the
    layout that the parent was read in, or as published. dtype_of: by published names, which are returned.
    """
    shutil.rmtree(staging, ignore_errors=True)
    with silence():
        model.save_pretrained(staging)
    try:
        saved = open_checkpoint(staging)
        published = _published(saved)
        first = {whole: name for name, (whole, _) in reversed(published.items())}
        plan = [Planned(name, dtype_of(first[name]), spec.shape) for name, spec in saved.items()]
        write_tensors(folder, plan, lambda name: np.frombuffer(saved.read(name), "<f4"), "full")
        return frozenset(published)
    finally:
        shutil.rmtree(staging)


def _published(checkpoint: Checkpoint) -> dict[str, tuple[str, TensorSpec]]:
    """Published name -> the stored tensor that holds it, and where; as stored where no layouts are known."""
    found = seen(checkpoint.specs, checkpoint.config, str(checkpoint.folder))
    if found is None:
        return {name: (name, spec) for name, spec in checkpoint.items()}
    return {name: (view.whole, view.spec) for name, view in found.views.items()}


def check_names(written: frozenset[str], parent: Mapping[str, str], model: PreTrainedModel, place: Path) -> None:
    """A child has its parent's tensors; only a copy of a tied one may be gone."""
    tied = cast(dict[str, Any], cast(Any, model).all_tied_weights_keys)
    lost = sorted(parent.keys() - written - tied.keys())
    if lost:
        raise CheckpointError(f"{place}: the tensor {quoted(lost[0])} is not part of the model that was trained")


def write_tensors(
    folder: Path,
    plan: Iterable[Planned],
    values_of: Callable[[str], Float32],
    form: Form,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Encode and write each tensor; a value that is not finite in its dtype is refused."""
    planned = sorted(plan, key=lambda tensor: tensor.name)
    with CheckpointWriter(folder, lay_out(planned, form, metadata=metadata), key="training") as writer:
        for tensor in planned:
            values = np.ascontiguousarray(values_of(tensor.name)).reshape(-1)
            at = first_nonfinite(values, tensor.dtype)
            if at >= 0:
                raise CheckpointError(f"{folder}: {tensor.name}[{at}] became {values[at]} in {tensor.dtype}")
            raw = np.empty(tensor.byte_length, np.uint8)
            encode(values, tensor.dtype, raw)
            writer.write(tensor, 0, raw.data)
            writer.finish(tensor, blake3(raw.data).digest(), None)
        writer.seal()
