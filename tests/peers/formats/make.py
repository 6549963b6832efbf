"""Runs in the environment of quantized formats, without lineal: folders of a model made by each format's own library.

stdin: {"base": folder of full weights, "out": folder, "makers": {name: [module, options]}}. Makes out/NAME (the
quantized folder) and out/NAME.values.safetensors: what the library itself makes of each weight that is codes.
"""

import importlib
import json
import logging
import shutil
import sys
import warnings
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

PACKAGE = ("tokenizer.json", "tokenizer_config.json")


def make(base: str, out: str, makers: dict[str, tuple[str, dict[str, Any]]]) -> None:
    for name, (module, options) in makers.items():
        folder = Path(out) / name
        folder.mkdir(parents=True)
        values = importlib.import_module(module).make(Path(base), folder, **options)
        for file in PACKAGE:
            shutil.copy(Path(base) / file, folder / file)
        save_file({key: value.contiguous() for key, value in values.items()}, Path(out) / f"{name}.values.safetensors")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    make(**json.load(sys.stdin))
