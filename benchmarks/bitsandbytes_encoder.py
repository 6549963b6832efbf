"""Runs in the environment of quantized formats, without lineal: bitsandbytes' encoder, a time a line that it is asked.

argv: file of float32 values, threads. stdin: lines of dtype (float32, bfloat16), type (nf4, fp4) and whether scales
become codes (0, 1); to each it answers with seconds, and with the digest of codes and scales (codes alone of double).
"""

import hashlib
import sys
import time

import numpy as np
import torch
from bitsandbytes.functional import quantize_4bit


def main() -> None:
    torch.set_num_threads(int(sys.argv[2]))
    values = torch.from_numpy(np.fromfile(sys.argv[1], np.float32)).reshape(-1, 4096)
    of_dtype = {"float32": values, "bfloat16": values.bfloat16()}
    for line in sys.stdin:
        dtype, kind, double = line.split()
        started = time.perf_counter()
        codes, state = quantize_4bit(of_dtype[dtype], quant_type=kind, compress_statistics=double == "1")
        seconds = time.perf_counter() - started
        digest = hashlib.sha256(codes.numpy().tobytes())
        if double == "0":
            digest.update(state.absmax.numpy().tobytes())
        print(seconds, digest.hexdigest(), flush=True)


if __name__ == "__main__":
    main()
