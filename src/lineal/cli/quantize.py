"""lineal quantize: store a model in fewer bits, for llama.cpp and whatever else reads GGUF."""

import json
from pathlib import Path
from typing import Annotated

import typer

from lineal.cli.options import (
    AdapterBaseOption,
    DryRunOption,
    LicenceOverrideOption,
    NonfiniteOption,
    RegistryOption,
    ThreadsOption,
    model_names,
)

EXAMPLES = """
Every option of the method is an option here; lineal methods NAME lists them.

Examples:

  lineal quantize both --scheme q4_k_m --out both.gguf

  lineal quantize both --scheme q4_k_m --tensor-type attn_v=q8_0 --tensor-type ffn_down=q6_k --out both.gguf

  lineal quantize both --scheme q3_k_m --imatrix imatrix.gguf --out both.gguf

  lineal quantize both --bits-per-weight 4.5 --out both.gguf

  lineal quantize both --size 90MB --imatrix imatrix.gguf --out both.gguf

  lineal quantize ./code --base ./base --scheme f16 --out code.gguf

  lineal quantize both --scheme q4_0 --eval text.txt --max-kl 0.02 --out both.gguf
"""


def quantize(
    words: Annotated[
        list[str], typer.Argument(autocompletion=model_names, metavar="MODEL --scheme SCHEME [--OPTION VALUE]...")
    ],
    out: Annotated[Path, typer.Option("--out", help="The .gguf file to write, or the folder.")],
    method: Annotated[str, typer.Option("--method", help="The format.")] = "gguf",
    tensor_type: Annotated[
        list[str] | None,
        typer.Option("--tensor-type", metavar="PATTERN=TYPE", help="Another type for the tensors of this name."),
    ] = None,
    imatrix: Annotated[
        Path | None, typer.Option("--imatrix", help="An importance matrix, as llama.cpp writes it.")
    ] = None,
    base: AdapterBaseOption = None,
    allow_nonfinite: NonfiniteOption = False,
    texts: Annotated[
        list[Path] | None, typer.Option("--eval", help="A text to compare it with its parent on, once it is made.")
    ] = None,
    max_kl: Annotated[
        float | None, typer.Option("--max-kl", help="Nats a token that it may be from its parent; more is exit code 1.")
    ] = None,
    dry_run: DryRunOption = False,
    licence_override: LicenceOverrideOption = None,
    threads: ThreadsOption = None,
    registry: RegistryOption = None,
) -> None:
    """Write a model (a name, path or b3: hash) as GGUF, in any of llama.cpp's mixes or in a given size."""
    from lineal.api.derivations import derivation, examined, inputs_of_merge
    from lineal.cli.words import make_or_plan, one_model_and_options
    from lineal.family.build.one_off import method_from_words

    model, options = one_model_and_options(words, "quantized")
    by_name = ["--tensor-types", json.dumps(tensor_type)] if tensor_type else []
    chosen = method_from_words("quantize", method, [*options, *by_name])
    inputs, data = inputs_of_merge([model], base), [] if imatrix is None else [imatrix]
    wanted = derivation(
        "quantize", chosen, inputs, out, data=data, allow_nonfinite=allow_nonfinite, licence=licence_override
    )
    wanted = examined(wanted, texts or (), max_kl)
    make_or_plan(wanted, registry, threads, dry_run=dry_run)
