"""Walks in a process of its own, which prints its memory: python -m tests.engines.calibrate.measured_walk FOLDER"""

import json
import sys
from pathlib import Path
from typing import Any

import torch

from lineal.checkpoint.written.layout import Planned, lay_out
from lineal.methods.input_statistics import SecondMoment
from tests.builders import write_json
from tests.engines.calibrate.walks import Watching, random_tokens, walk
from tests.engines.measured_merge import peak_bytes
from tests.llamas import CONFIG, llama_tensors

SIZES = {**CONFIG, "hidden_size": 384, "intermediate_size": 1024, "num_attention_heads": 6, "num_key_value_heads": 6}
SAMPLES, CONTEXT = 4, 32


def sparse(folder: Path, blocks: int) -> Path:
    """A Llama of zeros, which take no room on disk."""
    config = {**SIZES, "num_hidden_layers": blocks}
    shapes = {name: values.shape for name, values in llama_tensors({**config, "num_hidden_layers": 1}).items()}
    named = {name.replace(".0.", f".{block}."): shape for name, shape in shapes.items() for block in range(blocks)}
    layout = lay_out([Planned(name, "BF16", shape) for name, shape in named.items()])
    folder.mkdir(parents=True)
    write_json(folder / "config.json", {**config, "architectures": ["LlamaForCausalLM"]})
    for file, header in layout.headers.items():
        (folder / file).write_bytes(header)
        with (folder / file).open("r+b") as opened:
            opened.truncate(layout.file_sizes[file])
    return folder


def gather(block: Any) -> None:
    """All that GPTQ would ask for; then every weight is changed."""
    moments = {shared: SecondMoment(shared.columns) for shared in block.shared_inputs}
    block.gather({shared: [moment] for shared, moment in moments.items()})
    for shared, moment in moments.items():
        moment.matrix()
        block.change({name: block.weight(name) + 1 for name in shared.layers})


def measured(folder: Path, blocks: int) -> int:
    method = Watching(samples=SAMPLES, context=CONTEXT, watch=gather)
    walk(sparse(folder / "model", blocks), folder, method, random_tokens(SAMPLES, CONTEXT, SIZES["vocab_size"]))
    return peak_bytes()


if __name__ == "__main__":
    torch.set_num_threads(1)
    where = Path(sys.argv[1])
    few = [measured(where / f"few-{turn}", 10) for turn in range(2)]
    print(json.dumps({"few": few, "many": measured(where / "many", 40)}))
