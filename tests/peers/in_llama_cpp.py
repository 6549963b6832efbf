"""Runs in the peers' environment, without lineal, torch or transformers: what llama.cpp makes of a GGUF.

stdin: {"model": path, "texts": [...], "prompt": [ids], "count": n}; stdout: the ids of each text, the logits after each
token of the prompt, and the ids of a greedy continuation.
"""

import json
import sys
from typing import Any

import llama_cpp
import numpy as np

KEYS_AND_VALUES = 0
"""GGML_TYPE_F32: the cache is float16 by default, which would be one rounding more."""


def answer(model: str, texts: list[str], prompt: list[int], count: int) -> dict[str, Any]:
    llama = llama_cpp.Llama(
        model,
        n_ctx=0,
        n_threads=1,
        n_threads_batch=1,
        n_gpu_layers=0,
        logits_all=True,
        type_k=KEYS_AND_VALUES,
        type_v=KEYS_AND_VALUES,
        verbose=False,
    )
    ids = [llama.tokenize(text.encode(), add_bos=True, special=True) for text in texts]
    llama.eval(prompt)
    logits = np.array(llama.scores[: len(prompt)])
    continued: list[int] = []
    for _ in range(count):
        continued.append(int(llama.scores[llama.n_tokens - 1].argmax()))
        llama.eval(continued[-1:])
    template = llama.metadata.get("tokenizer.chat_template")
    return {"ids": ids, "logits": logits.tolist(), "continued": continued, "chat_template": template}


if __name__ == "__main__":
    json.dump(answer(**json.load(sys.stdin)), sys.stdout)
