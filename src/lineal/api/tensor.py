"""One stored tensor of a model, read when its values are asked for."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, final

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from lineal.checkpoint.headers.storage import BLOCKS
from lineal.checkpoint.reader import Checkpoint
from lineal.errors import CheckpointError

if TYPE_CHECKING:
    import torch

_NUMPY: dict[str, Any] = {
    "BOOL": np.bool_,
    "U8": np.uint8,
    "I8": np.int8,
    "U16": np.uint16,
    "I16": np.int16,
    "U32": np.uint32,
    "I32": np.int32,
    "U64": np.uint64,
    "I64": np.int64,
    "F16": np.float16,
    "F32": np.float32,
    "F64": np.float64,
    "BF16": ml_dtypes.bfloat16,
    "F8_E4M3": ml_dtypes.float8_e4m3fn,
    "F8_E5M2": ml_dtypes.float8_e5m2,
    "F8_E8M0": ml_dtypes.float8_e8m0fnu,
}


@final
@dataclass(frozen=True)
class Tensor:
    """A tensor by name. dtype: as stored, in safetensors' words or GGUF's (F32, BF16, Q4_0); shape: rows first."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    nbytes: int
    _checkpoint: Checkpoint = field(repr=False)

    def numpy(self) -> NDArray[Any]:
        """The values, read now, in the type they are stored in (bfloat16 and float8 by ml_dtypes); GGUF's blocks are
        decoded to float32.

        Raises CheckpointError for a type that cannot be decoded, or a file that has become shorter.
        """
        raw = self._checkpoint.read(self.name)
        if self.dtype in BLOCKS:
            from gguf import GGMLQuantizationType, dequantize

            blocks = np.frombuffer(raw, np.uint8).reshape(-1, BLOCKS[self.dtype][1])
            try:
                return dequantize(blocks, GGMLQuantizationType[self.dtype]).reshape(self.shape)
            except NotImplementedError:
                raise CheckpointError(f"{self.name}: {self.dtype} cannot be decoded") from None
        if self.dtype not in _NUMPY:
            raise CheckpointError(f"{self.name}: numpy has no type for {self.dtype}")
        return np.frombuffer(raw, _NUMPY[self.dtype]).reshape(self.shape)

    def torch(self) -> "torch.Tensor":
        """The values, read now, as a torch tensor on the CPU in the dtype it is stored in; needs the extra `train`."""
        from lineal.engines.extra import require_training

        require_training("a tensor for torch")
        import torch

        values = self.numpy()
        if self.dtype in ("BF16", "F8_E4M3", "F8_E5M2"):
            kind = {"BF16": torch.bfloat16, "F8_E4M3": torch.float8_e4m3fn, "F8_E5M2": torch.float8_e5m2}[self.dtype]
            flat = (
                torch.frombuffer(bytearray(values.tobytes()), dtype=kind) if values.size else torch.empty(0, dtype=kind)
            )
            return flat.reshape(self.shape)
        return torch.from_numpy(values.copy())
