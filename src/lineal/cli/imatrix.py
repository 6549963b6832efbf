"""lineal imatrix: which columns of a model's matrices matter on a text, for quantizations to GGUF."""

from pathlib import Path
from typing import Annotated

import typer

from lineal.cli.options import AdapterBaseOption, RegistryOption, ThreadsOption, model_names
from lineal.cli.terminal import say

EXAMPLES = """
Examples:

  lineal imatrix both --data calibration.txt --out imatrix.gguf

  lineal imatrix ./both --data calibration.txt --chunks 100 --out imatrix.gguf

  lineal quantize both --scheme q3_k_m --imatrix imatrix.gguf --out both.gguf
"""


def imatrix(
    model: Annotated[str, typer.Argument(autocompletion=model_names, help="A name, path or b3: hash.")],
    data: Annotated[Path, typer.Option("--data", help="A text like those that the model will read.")],
    out: Annotated[Path, typer.Option("--out", help="The file to write.")],
    context: Annotated[int, typer.Option("--context", min=2, help="Tokens a chunk.")] = 512,
    chunks: Annotated[int | None, typer.Option("--chunks", min=1, help="At most so many; all of the text.")] = None,
    base: AdapterBaseOption = None,
    threads: ThreadsOption = None,
    registry: RegistryOption = None,
) -> None:
    """Measure on a text which columns of a model's matrices matter: an importance matrix, as llama.cpp has it."""
    from lineal.api import uses
    from lineal.cli.progress_bars import TerminalProgress

    _ = uses.imatrix(
        model,
        data=data,
        out=out,
        context=context,
        chunks=chunks,
        base=base,
        registry=registry,
        threads=threads,
        progress=TerminalProgress(),
    )
    say(f"{out}")
