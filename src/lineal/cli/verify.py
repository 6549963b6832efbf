"""lineal verify: check models against the record, and recompute what is exact."""

from typing import Annotated

import typer

from lineal.cli.options import JsonOption, RegistryOption, ThreadsOption

EXAMPLES = """
Exit code 0: everything agrees; 1: something does not.

Examples:

  lineal verify both                  every byte hashed again, the merge recomputed

  lineal verify --family demo         all models of a family

  lineal verify ./both                a folder, against the registry or its own lineal.json
"""


def verify(
    models: Annotated[list[str] | None, typer.Argument(help="Names, paths or b3: hashes.", show_default=False)] = None,
    family: Annotated[str | None, typer.Option("--family", help="All models of this family.")] = None,
    recompute: Annotated[bool, typer.Option(help="Recompute exact derivations, or only hash.")] = True,
    threads: ThreadsOption = None,
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Hash every byte again and recompute every exact derivation; remembered hashes are not trusted."""
    from lineal.cli.terminal import print_json
    from lineal.cli.verdicts import line_of, verdict_json
    from lineal.cli.workshop import open_workshop
    from lineal.errors import UsageError, VerificationFailed
    from lineal.family.verify import verify_references

    if not models and family is None:
        raise UsageError("name models to verify, or --family")
    with open_workshop(registry, threads) as workshop:
        verdicts = []
        for verdict in verify_references(workshop, models or [], family, recompute=recompute):
            verdicts.append(verdict)
            if not as_json:
                print(line_of(verdict))
    if as_json:
        print_json([verdict_json(verdict) for verdict in verdicts])
    failed = [verdict for verdict in verdicts if not verdict.ok]
    if failed:
        raise VerificationFailed(f"{len(failed)} of {len(verdicts)} models do not agree with the record")
