"""lineal check: whether the registry holds together."""

from lineal.cli.options import JsonOption, RegistryOption
from lineal.cli.terminal import print_json, remark, say

EXAMPLES = """
Exit code 0: everything holds together; 1: something does not.

Examples:

  lineal check

  lineal check --json
"""


def check(registry: RegistryOption = None, as_json: JsonOption = False) -> None:
    """Hash every record again, verify signatures, follow the journal from the beginning; no weights are read."""
    from dataclasses import asdict

    from lineal.errors import VerificationFailed
    from lineal.lineage.database.locate import locate
    from lineal.lineage.registry import Registry
    from lineal.lineage.soundness.check import check as checked

    with Registry.open_existing(locate(registry)) as opened:
        found = checked(opened)
    if as_json:
        print_json(asdict(found))
    else:
        say(*found.faults)
        counts = f"{found.models} models, {found.steps} steps, {found.entries} journal entries"
        say(f"{counts}, {found.signatures} signatures" if found.signatures else counts)
        if found.signatures_unchecked:
            remark(f"signatures were not checked: {found.signatures_unchecked}")
    if found.faults:
        raise VerificationFailed(f"{len(found.faults)} things in the registry do not hold together")
