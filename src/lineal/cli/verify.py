"""lineal verify: check models against the record, and recompute what is exact."""

from pathlib import Path
from typing import Annotated

import typer

from lineal.cli.options import JsonOption, RegistryOption, ThreadsOption, model_names
from lineal.cli.terminal import print_json, say
from lineal.shown import quoted

EXAMPLES = """
Exit code 0: everything agrees; 1: something does not.

Examples:

  lineal verify both                  every byte hashed again, the merge recomputed

  lineal verify --family demo         all models of a family

  lineal verify ./both                a folder, against the registry or its own lineal.json

  lineal verify lean --deep --sample 5%    its ancestors, too; of each a twentieth recomputed

  lineal verify ./model-Q4_K_M.gguf --against ./model    a stranger's quant, encoded again from its parent
"""


def verify(
    models: Annotated[
        list[str] | None,
        typer.Argument(autocompletion=model_names, help="Names, paths or b3: hashes.", show_default=False),
    ] = None,
    family: Annotated[str | None, typer.Option("--family", help="All models of this family.")] = None,
    recompute: Annotated[bool, typer.Option(help="Recompute exact derivations, or only hash.")] = True,
    sample: Annotated[
        str, typer.Option("--sample", metavar="SHARE", help="Recompute a share of the tensors, such as 5%.")
    ] = "100%",
    deep: Annotated[bool, typer.Option("--deep", help="Also everything that they go back to, before them.")] = False,
    against: Annotated[
        str | None, typer.Option("--against", help="Encode a GGUF again from this parent, as llama.cpp would.")
    ] = None,
    imatrix: Annotated[
        Path | None, typer.Option("--imatrix", help="With --against: the importance matrix that it was made with.")
    ] = None,
    threads: ThreadsOption = None,
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Hash every byte again and recompute every exact derivation; remembered hashes are not trusted."""
    if against is not None:
        _verify_against(models or [], against, imatrix, registry, threads, as_json=as_json)
        return
    from lineal.errors import UsageError

    if not models and family is None:
        raise UsageError("name models to verify, or --family")
    _verify_record(
        models or [], family, registry, threads, recompute=recompute, share=_share(sample), deep=deep, as_json=as_json
    )


def _verify_record(
    models: list[str],
    family: str | None,
    registry: str | None,
    threads: int | None,
    *,
    recompute: bool,
    share: float,
    deep: bool,
    as_json: bool,
) -> None:
    from lineal.cli.session import is_named, open_session
    from lineal.cli.verdicts import lines_of, verdict_json
    from lineal.errors import VerificationFailed
    from lineal.family.trust.verify import verify_references

    with open_session(registry, threads, must_exist=is_named(registry), keeps=False) as session:
        verdicts = []
        asked = verify_references(session, models, family, recompute=recompute, share=share, deep=deep)
        for verdict in asked:
            verdicts.append(verdict)
            if not as_json:
                say(*lines_of(verdict))
    if as_json:
        print_json([verdict_json(verdict) for verdict in verdicts])
    failed = [verdict for verdict in verdicts if not verdict.ok]
    if failed:
        raise VerificationFailed(f"{len(failed)} of {len(verdicts)} models do not agree with the record")


def _verify_against(
    files: list[str], parent: str, imatrix: Path | None, registry: str | None, threads: int | None, *, as_json: bool
) -> None:
    from lineal.cli.against_lines import against_json, against_lines
    from lineal.cli.session import is_named, open_session
    from lineal.errors import UsageError, VerificationFailed
    from lineal.family.trust.against import Answer, verify_against

    if len(files) != 1:
        raise UsageError("--against takes one GGUF: lineal verify FILE.gguf --against MODEL")
    with open_session(registry, threads, must_exist=is_named(registry), keeps=False) as session:
        found = verify_against(session, files[0], parent, imatrix)
    if as_json:
        print_json(against_json(found))
    else:
        say(*against_lines(found))
    if found.answer is not Answer.REPLAYED:
        raise VerificationFailed(f"{found.label}: {found.answer.value}")


def _share(written: str) -> float:
    from lineal.errors import UsageError

    number, percent, rest = written.partition("%")
    try:
        share = float(number) / (100 if percent else 1)
    except ValueError:
        share = 0.0
    if rest or not 0 < share <= 1:
        raise UsageError(f"--sample {quoted(written)}: a share is 5% or 0.05, above 0 and at most 100%")
    return share
