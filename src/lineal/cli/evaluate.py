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
    from lineal.cli.scores import print_scores
    from lineal.cli.session import open_session
    from lineal.family.build.evaluation import Asked, evaluate_model
    from lineal.family.origin.adapter_base import with_base
    from lineal.family.session import name_by_path, register

    texts, asked = _by_name(data), Asked(context, dtype, logits)
    with open_session(registry) as session:
        scores = []
        for reference in models:
            local = with_base(session, session.identify(session.find(reference)), base)
            register(session, local)
            name_by_path(session, local)
            scores += [(reference, e) for e in evaluate_model(session, local, texts, asked)]
        print_scores(session.registry, scores, as_json)


def _by_name(data: list[Path]) -> dict[str, Path]:
    """Texts by the end of their paths: the file's name, and as many folders as tell them apart."""
    from lineal.checkpoint.inside import resolved

    files = list(dict.fromkeys(resolved(path) for path in data))
    depth = 1
    while len({path.parts[-depth:] for path in files}) < len(files):
        depth += 1
    return {"/".join(path.parts[-depth:]): path for path in files}
