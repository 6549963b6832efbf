"""lineal policy: what a version must meet to go on to a stage."""

from typing import TYPE_CHECKING, Annotated

import typer

from lineal.cli.options import JsonOption, RegistryOption
from lineal.cli.terminal import print_json, say
from lineal.errors import UsageError

if TYPE_CHECKING:
    from lineal.lineage.registry import Registry
    from lineal.lineage.stated.policies import Policy

EXAMPLES = """
A policy is given whole; another one for the same name and stage takes its place.

Examples:

  lineal policy                                                        every policy

  lineal policy demo --stage production --evidence recorded --licences apache-2.0,mit

  lineal policy demo:both --stage staging --min quality_score=80 --max perplexity:code=40

  lineal policy demo:both --stage staging --remove
"""


def policy(
    name: Annotated[str | None, typer.Argument(metavar="[FAMILY[:NAME]]", show_default=False)] = None,
    stage: Annotated[str | None, typer.Option("--stage", help="staging or production: the stage to go on to.")] = None,
    least: Annotated[
        list[str] | None, typer.Option("--min", metavar="METRIC=VALUE", help="May be given several times.")
    ] = None,
    most: Annotated[
        list[str] | None, typer.Option("--max", metavar="METRIC=VALUE", help="May be given several times.")
    ] = None,
    evidence: Annotated[str | None, typer.Option("--evidence", help="The grade that every step must have.")] = None,
    licences: Annotated[str | None, typer.Option("--licences", metavar="ID,ID", help="The only ones allowed.")] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Take the policy for this stage away.")] = False,
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what versions must meet to go on to a stage, or set it for a name or a whole family."""
    from lineal.lineage.database.locate import locate
    from lineal.lineage.records.stages import Stage
    from lineal.lineage.registry import Registry
    from lineal.lineage.stated.policies import set_policy

    asks = any((least, most, evidence is not None, licences is not None))
    if (asks or remove) and (name is None or stage is None):
        raise UsageError("a policy is for a FAMILY or FAMILY:NAME, and for a --stage")
    if asks and remove:
        raise UsageError("--remove takes a policy away, it sets nothing")
    if stage is not None and not (asks or remove):
        raise UsageError(
            "--stage goes with what the policy asks for: --min, --max, --evidence, --licences; or --remove"
        )
    with Registry.open_existing(locate(registry)) as opened:
        if name is not None and stage is not None:
            wanted = None if remove else _asked_for(least or [], most or [], evidence, licences)
            set_policy(opened, name, Stage.parse(stage), wanted)
        _show(opened, name, as_json=as_json)


def _asked_for(least: list[str], most: list[str], evidence: str | None, licences: str | None) -> "Policy":
    from lineal.cli.figures import figures
    from lineal.lineage.records.evidence import Evidence
    from lineal.lineage.stated.policies import Policy, allowed_licences

    return Policy(
        least=figures("--min", least),
        most=figures("--max", most),
        evidence=None if evidence is None else Evidence.parse(evidence),
        licences=None if licences is None else allowed_licences(licences),
    )


def _show(registry: "Registry", name: str | None, *, as_json: bool) -> None:
    from lineal.lineage.stated.policies import all_policies

    with registry.reading() as connection:
        known = {
            about: rules
            for about, rules in all_policies(connection).items()
            if name is None or name in (str(about), about.family)
        }
    if as_json:
        print_json(
            [{"name": str(about), "stage": about.stage.value, **rules.to_json()} for about, rules in known.items()]
        )
        return
    width = max((len(str(about)) for about in known), default=0)
    for about, rules in known.items():
        say(f"{about!s:{width}}  {about.stage.value:10}  {rules}")
