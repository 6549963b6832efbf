"""make bench-quantize, third part: encoders of NF4 and FP4 in memory beside bitsandbytes', two threads each."""

import hashlib
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import ml_dtypes
import numpy as np
from history import keep

from lineal.checkpoint.codes import double_quantization, nf4
from lineal.checkpoint.codes.dtypes import decode

_HERE = Path(__file__).parent
_PEER = _HERE.parent / "build" / "peers" / "quantized" / "bin" / "python"
_VALUES, _BLOCK, _THREADS, _RUNS = 1 << 24, 64, 2, 7
_WINDOW = 1 << 16
_INTRODUCTION = """
# NF4 and FP4 in memory

`make bench-quantize`, beside bitsandbytes 0.50.2 on a CPU (`quantize_4bit`): 16,777,216 normal values of standard
deviation 0.02, blocks of 64, two threads on both sides; in turns, medians of 7, in millions of values a second. Values
in bfloat16 are widened in passing on lineal's side. *Equal*: codes and scales, byte for byte; with double quantization
the codes of values.
"""


class Lineal:
    """Encodes one array, window after window as the streaming engine does, each thread its share."""

    def __init__(self, values: Any) -> None:
        self._raw = {"float32": values.view(np.uint8), "bfloat16": values.astype(ml_dtypes.bfloat16).view(np.uint8)}
        self._codes, self._absmax = np.empty(_VALUES // 2, np.uint8), np.empty(_VALUES // _BLOCK, np.float32)

    def run(self, pool: ThreadPoolExecutor, dtype: str, kind: str, *, double: bool) -> tuple[float, str]:
        started = time.perf_counter()
        list(pool.map(lambda share: self._encode(dtype, kind, share), range(_THREADS)))
        if double:
            double_quantization.encode(self._absmax)
        seconds = time.perf_counter() - started
        digest = hashlib.sha256(self._codes)
        if not double:
            digest.update(self._absmax)
        return seconds, digest.hexdigest()

    def _encode(self, dtype: str, kind: str, share: int) -> None:
        stored, size = ("F32", 4) if dtype == "float32" else ("BF16", 2)
        values = np.empty(_WINDOW, np.float32)
        for start in range(share * _VALUES // _THREADS, (share + 1) * _VALUES // _THREADS, _WINDOW):
            decode(self._raw[dtype][size * start : size * (start + _WINDOW)], stored, values)
            codes = self._codes[start // 2 : (start + _WINDOW) // 2]
            nf4.encode(values, kind, _BLOCK, codes, self._absmax[start // _BLOCK : (start + _WINDOW) // _BLOCK])


@contextmanager
def bitsandbytes(values: Any) -> Iterator["subprocess.Popen[str]"]:
    """A process that encodes when it is asked."""
    with tempfile.NamedTemporaryFile() as file:
        values.tofile(file.name)
        command = [_PEER, _HERE / "bitsandbytes_encoder.py", file.name, f"{_THREADS}"]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as peer:
            yield peer


def asked(to: IO[str] | None, back: IO[str] | None, question: str) -> tuple[float, str]:
    assert to is not None
    assert back is not None
    print(question, file=to, flush=True)
    seconds, digest = back.readline().split()
    return float(seconds), digest


def main() -> None:
    """Measure, and keep it on a page."""
    values = (np.random.default_rng(0).standard_normal(_VALUES) * 0.02).astype(np.float32)
    ours = Lineal(values)
    lines = ["| type | of | double | lineal | bitsandbytes | times | equal |", "|---|---|---|---|---|---|---|"]
    cases = [(kind, dtype, double) for kind in nf4.LEVELS for dtype in ("bfloat16", "float32") for double in (0, 1)]
    with bitsandbytes(values) as peer, ThreadPoolExecutor(_THREADS) as pool:
        for kind, dtype, double in cases:
            taken: list[list[tuple[float, str]]] = [[], []]
            for _ in range(_RUNS + 1):
                taken[0].append(ours.run(pool, dtype, kind, double=bool(double)))
                taken[1].append(asked(peer.stdin, peer.stdout, f"{dtype} {kind} {double}"))
            mine, theirs = (_VALUES / statistics.median(seconds for seconds, _ in side[1:]) / 1e6 for side in taken)
            is_equal = {digest for side in taken for _, digest in side} == {taken[0][0][1]}
            speeds = f"{mine:.0f} | {theirs:.1f} | {mine / theirs:.1f} | {'yes' if is_equal else 'no'}"
            lines.append(f"| {kind} | {dtype} | {'yes' if double else 'no'} | {speeds} |")
            print(lines[-1], flush=True)
    keep(_HERE / "NF4.md", _INTRODUCTION, "\n".join(lines))


if __name__ == "__main__":
    main()
