"""lineal licence: the licence that binds a model, and where it comes from."""

from typing import TYPE_CHECKING, Annotated

import typer

from lineal.cli.options import DataOption, JsonOption, OptionalModelArgument, RegistryOption
from lineal.cli.terminal import print_json, say
from lineal.errors import UsageError

if TYPE_CHECKING:
    from lineal.lineage.registry import Registry

EXAMPLES = """
A rule of thumb, and no legal advice. Exit code 0: the licences go together; 1: some do not.

Examples:

  lineal licence both                                        joined over all it was made from, and their data

  lineal licence base --is apache-2.0                        for what says nothing itself

  lineal licence --data code.jsonl --is cc-by-sa-4.0         of a data file, by its content

  lineal licence both --override mit --because "agreed with the authors of code, 2026-11-03"

  lineal licence both --withdraw
"""


def licence(
    model: OptionalModelArgument = None,
    data: DataOption = None,
    stated: Annotated[str | None, typer.Option("--is", metavar="LICENCE", help="State its own licence.")] = None,
    override: Annotated[
        str | None, typer.Option("--override", metavar="LICENCE", help="Let it hold, whatever it was made from.")
    ] = None,
    because: Annotated[str | None, typer.Option("--because", metavar="TEXT", help="Why it is overridden.")] = None,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Take back what was stated of the model.")] = False,
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the licence that binds a model, joined over everything it was made from, or state one."""
    from lineal.cli.session import is_named, open_session
    from lineal.family.session import known

    if (model is None) == (data is None):
        raise UsageError("a model is needed, or --data with a data file")
    if (override is None) != (because is None):
        raise UsageError("--override and --because go together: an override has a reason")
    if sum((stated is not None, override is not None, withdraw)) > 1:
        raise UsageError("--is, --override and --withdraw are said one at a time")
    with open_session(registry, must_exist=is_named(registry), keeps=False) as session:
        opened = session.registry
        if data is not None:
            if override is not None or withdraw:
                raise UsageError("a data file's licence is stated with --is, which replaces what was stated before")
            _data(opened, data, stated, as_json=as_json)
        elif model is not None:
            digest = known(session, model)
            _state(opened, digest, stated, (override, because), withdraw=withdraw)
            _show(opened, digest, as_json=as_json)


def _state(
    registry: "Registry", model: bytes, stated: str | None, override: tuple[str | None, str | None], *, withdraw: bool
) -> None:
    from lineal.lineage.licensing import records as licence_records

    licence, because = override
    if stated is not None:
        licence_records.state(registry, model, stated)
    if licence is not None and because is not None:
        licence_records.override(registry, model, licence, because)
    if withdraw and not licence_records.withdraw(registry, model):
        raise UsageError(f"nothing was stated of {registry.label(model)}: what lies beside it cannot be withdrawn")


def _show(registry: "Registry", model: bytes, *, as_json: bool) -> None:
    from lineal.derivation.hashes import format_hash
    from lineal.lineage.licensing.effective import judgement
    from lineal.lineage.licensing.graph import refuse_conflicts

    label, judged = registry.label(model), judgement(registry, model)
    if as_json:
        from lineal.lineage.shown.as_json import judgement_as_json

        print_json({"model": format_hash(model), "label": label, **judgement_as_json(judged)})
    else:
        from lineal.cli.licences import licence_lines

        say(*licence_lines(label, judged))
    refuse_conflicts([judged])


def _data(registry: "Registry", reference: str, stated: str | None, *, as_json: bool) -> None:
    from lineal.derivation.hashes import format_hash
    from lineal.lineage.licensing import records as licence_records
    from lineal.lineage.records.licences import UNKNOWN
    from lineal.lineage.tables import data_files

    with registry.reading() as connection:
        file = data_files.resolve(connection, reference)
    if stated is not None:
        licence_records.state_data(registry, file.data_hash, stated)
    with registry.reading() as connection:
        known = licence_records.of_data(connection, [file.data_hash]).get(file.data_hash)
    licence = UNKNOWN if known is None else known.licence
    if as_json:
        print_json({"data": format_hash(file.data_hash), "name": file.name, "licence": licence})
    else:
        say(f"{file.name}: {licence}")
