"""lineal check: whether the registry holds together."""

from lineal.cli.options import JsonOption, RegistryOption

EXAMPLES = """
Exit code 0: everything holds together; 1: something does not.

Examples:

  lineal check

  lineal check --json
"""


def check(registry: RegistryOption = None, as_json: JsonOption = False) -> None:
    """Hash every record of the registry again and follow its journal from the beginning; no weights are read."""
    from dataclasses import asdict

    from lineal.errors import VerificationFailed
    from lineal.lineage.check import check as checked
    from lineal.lineage.locate import locate
    from lineal.lineage.registry import Registry

    with Registry.open_existing(locate(registry)) as opened:
        found = checked(opened)
    if as_json:
        from lineal.cli.terminal import print_json

        print_json(asdict(found))
    else:
        for fault in found.faults:
            print(fault)
        print(f"{found.models} models, {found.steps} steps, {found.entries} journal entries")
    if found.faults:
        raise VerificationFailed(f"{len(found.faults)} things in the registry do not hold together")
