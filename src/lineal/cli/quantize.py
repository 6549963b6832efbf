"""lineal quantize: store a model in fewer bits, for llama.cpp, vLLM and transformers."""

import json
from pathlib import Path
from typing import Annotated, TypeAlias

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
Every option of the method is an option here; lineal methods NAME lists them. The method follows from the scheme: gguf
writes llama.cpp's (q4_k_m, ...), rtn vLLM's (w4a16, ...).

Examples:

  lineal quantize both --scheme q4_k_m --out both.gguf

  lineal quantize both --scheme q4_k_m --tensor-type attn_v=q8_0 --tensor-type ffn_down=q6_k --out both.gguf

  lineal quantize both --scheme q3_k_m --imatrix imatrix.gguf --out both.gguf

  lineal quantize both --bits-per-weight 4.5 --out both.gguf

  lineal quantize both --size 90MB --imatrix imatrix.gguf --out both.gguf

  lineal quantize both --scheme w4a16 --out both-w4a16

  lineal quantize both --scheme w4a16 --group-size 32 --no-symmetric --ignore "re:.*down_proj" --out both-w4a16

  lineal quantize both --scheme fp8_dynamic --out both-fp8

  lineal quantize ./code --base ./base --scheme f16 --out code.gguf

  lineal quantize both --scheme q4_0 --eval text.txt --max-kl 0.02 --out both.gguf
"""


MethodOption: TypeAlias = Annotated[
    str | None, typer.Option("--method", help="How weights are rounded; without it, as the scheme says.")
]
TensorTypeOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--tensor-type", metavar="PATTERN=TYPE", help="For GGUF: another type for the tensors of this name."),
]
ImatrixOption: TypeAlias = Annotated[
    Path | None, typer.Option("--imatrix", help="For GGUF: an importance matrix, as llama.cpp writes it.")
]
TextsOption: TypeAlias = Annotated[
    list[Path] | None, typer.Option("--data", metavar="TEXT", help="For methods that are calibrated: a text.")
]
EvalOption: TypeAlias = Annotated[
    list[Path] | None, typer.Option("--eval", help="A text to compare it with its parent on, once it is made.")
]
MaxKlOption: TypeAlias = Annotated[
    float | None, typer.Option("--max-kl", help="Nats a token that it may be from its parent; more is exit code 1.")
]


def quantize(
    words: Annotated[
        list[str], typer.Argument(autocompletion=model_names, metavar="MODEL --scheme SCHEME [--OPTION VALUE]...")
    ],
    out: Annotated[Path, typer.Option("--out", help="The folder to write, or the .gguf file.")],
    method: MethodOption = None,
    tensor_type: TensorTypeOption = None,
    imatrix: ImatrixOption = None,
    data: TextsOption = None,
    base: AdapterBaseOption = None,
    allow_nonfinite: NonfiniteOption = False,
    texts: EvalOption = None,
    max_kl: MaxKlOption = None,
    dry_run: DryRunOption = False,
    licence_override: LicenceOverrideOption = None,
    threads: ThreadsOption = None,
    registry: RegistryOption = None,
) -> None:
    """Write a model (a name, path or b3: hash) in fewer bits: as GGUF, or packed as vLLM and transformers read it."""
    from lineal.api.derivations import data_of_quantization, derivation, examined, inputs_of_merge
    from lineal.cli.words import make_or_plan, one_model_and_options, value_of
    from lineal.family.build.one_off import method_from_words
    from lineal.methods.quantize.by_scheme import method_of_scheme

    model, options = one_model_and_options(words, "quantized")
    by_name = ["--tensor-types", json.dumps(tensor_type)] if tensor_type else []
    name = method or method_of_scheme(value_of("--scheme", options))
    chosen = method_from_words("quantize", name, [*options, *by_name])
    wanted = derivation(
        "quantize",
        chosen,
        inputs_of_merge([model], base),
        out,
        data=data_of_quantization(chosen, imatrix, data or ()),
        allow_nonfinite=allow_nonfinite,
        licence=licence_override,
    )
    wanted = examined(wanted, texts or (), max_kl)
    make_or_plan(wanted, registry, threads, dry_run=dry_run)
