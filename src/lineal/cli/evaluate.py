"""lineal eval: how well models predict texts."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from lineal.cli.options import AdapterBaseOption, JsonOption, RegistryOption, model_names

DType = Literal["float32", "bfloat16"]

EXAMPLES = """
Examples:

  lineal eval base both --data code.eval.txt --data prose.eval.txt

  lineal eval ./adapter --base org/model --data code.eval.txt

  lineal eval ./both --data held-out.jsonl --context 512 --json
"""


def evaluate(
    models: Annotated[list[str], typer.Argument(autocompletion=model_names, help="Names, paths or b3: hashes.")],
    data: Annotated[list[Path], typer.Option("--data", help="A text to predict; may be given several times.")],
    context: Annotated[int | None, typer.Option("--context", min=1, help="Tokens a window.")] = None,
    dtype: Annotated[DType, typer.Option("--dtype", help="What it computes in.")] = "float32",
    logits: Annotated[
        int | None, typer.Option("--logits", min=1, help="MiB that logits may take at once; 128.")
    ] = None,
    base: AdapterBaseOption = None,
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Perplexity, bits per byte, and KL divergence from the base or the parents; known figures are not recomputed."""
    from lineal.api import uses
    from lineal.cli.progress_bars import TerminalProgress
    from lineal.cli.scores import print_scores
    from lineal.cli.session import open_session

    scores = uses.evaluate(
        models,
        data=data,
        context=context,
        dtype=dtype,
        logits=logits,
        base=base,
        registry=registry,
        progress=TerminalProgress(),
    )
    with open_session(registry) as session:
        print_scores(session.registry, scores, as_json)
