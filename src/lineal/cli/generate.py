"""lineal generate: try a model."""

from typing import Annotated

import typer

from lineal.cli.options import AdapterBaseOption, RegistryOption, model_names
from lineal.cli.terminal import remark, say, say_piece

EXAMPLES = """
Examples:

  lineal generate both "def main("

  lineal generate ./prose "The module" --tokens 200 --temperature 0.8 --seed 1
"""


def generate(
    model: Annotated[str, typer.Argument(autocompletion=model_names, help="A name, path or b3: hash.")],
    prompt: Annotated[str, typer.Argument(help="What to continue.")],
    tokens: Annotated[int, typer.Option("--tokens", min=1, help="At most this many new tokens.")] = 100,
    temperature: Annotated[float, typer.Option("--temperature", min=0.0, help="0 takes the likeliest token.")] = 0.0,
    top_p: Annotated[float, typer.Option("--top-p", help="Draw from the likeliest tokens of this share.")] = 1.0,
    seed: Annotated[int, typer.Option("--seed", help="Of the draws.")] = 42,
    base: AdapterBaseOption = None,
    registry: RegistryOption = None,
) -> None:
    """Continue a prompt with a model; the text comes as it is made."""
    from lineal.api import uses
    from lineal.cli.session import is_named

    pieces = uses.generate(
        model,
        prompt,
        tokens=tokens,
        temperature=temperature,
        top_p=top_p,
        seed=seed,
        base=base,
        registry=registry,
        must_exist=is_named(registry),
        remark=remark,
    )
    say_piece(prompt)
    for piece in pieces:
        say_piece(piece)
    say("")
