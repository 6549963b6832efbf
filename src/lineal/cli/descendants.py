"""lineal descendants: everything that a model or a data file went into."""

from lineal.cli.options import DataOption, JsonOption, LimitOption, OptionalModelArgument, RegistryOption

EXAMPLES = """
Examples:

  lineal descendants base

  lineal descendants base --limit 20

  lineal descendants --data code.jsonl        every model made on it, and from those
"""


def descendants(
    model: OptionalModelArgument = None,
    data: DataOption = None,
    limit: LimitOption = None,
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """List everything that a model or a data file went into, nearest first."""
    from lineal.cli.model_list import answer
    from lineal.errors import UsageError
    from lineal.lineage.questions.ancestry import descendants as asked
    from lineal.lineage.registry import Registry
    from lineal.lineage.tables import data_files

    if (model is None) == (data is None):
        raise UsageError("a model is needed, or --data with a data file")

    def made_on(known: Registry, reference: str) -> tuple[bytes, ...]:
        with known.reading() as connection:
            return tuple(data_files.reached(connection, data_files.resolve(connection, reference).data_hash, limit))

    def found(known: Registry) -> tuple[bytes, ...]:
        return made_on(known, data) if data is not None else asked(known, known.resolve(str(model)), limit)

    _ = answer(registry, found, as_json=as_json)
