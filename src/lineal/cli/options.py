"""Options that several verbs share, declared once."""

from pathlib import Path
from typing import Annotated, TypeAlias

import typer


def model_names(incomplete: str) -> list[str]:
    """What the shell offers for a model: names as far as they are written, with their family where one is."""
    from lineal.errors import LinealError
    from lineal.lineage.database.locate import locate
    from lineal.lineage.registry import Registry

    try:
        with Registry.open_existing(locate()) as opened:
            names = opened.names()
    except LinealError:  # no registry, no names
        return []
    written = {str(name) if ":" in incomplete else name.name for name in names}
    return sorted(name for name in written if name.startswith(incomplete))


_MODEL = "A name, a b3: hash or the path of a known place."
ModelArgument: TypeAlias = Annotated[str, typer.Argument(autocompletion=model_names, help=_MODEL)]
OptionalModelArgument: TypeAlias = Annotated[str | None, typer.Argument(autocompletion=model_names, help=_MODEL)]
RegistryOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--registry",
        envvar="LINEAL_REGISTRY",
        metavar="PLACE",
        help="A file or a postgresql:// URL; default: the nearest .lineal/registry.db upward, else in ~/.lineal.",
    ),
]
JsonOption: TypeAlias = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
ThreadsOption: TypeAlias = Annotated[
    int | None,
    typer.Option("--threads", min=1, help="Worker threads; the bytes never depend on it. Default: all cores."),
]
DataOption: TypeAlias = Annotated[
    str | None,
    typer.Option("--data", metavar="FILE", help="A data file: its path, the name it is known by, or its b3: hash."),
]
DryRunOption: TypeAlias = Annotated[
    bool, typer.Option("--dry-run", help="Say what would be done, from headers alone, and stop.")
]
LimitOption: TypeAlias = Annotated[
    int | None, typer.Option("--limit", min=1, help="At most so many; default: all of them.")
]
OutOption: TypeAlias = Annotated[Path, typer.Option("--out", help="The folder to write.")]
AdapterBaseOption: TypeAlias = Annotated[
    str | None, typer.Option("--base", help="The base of an adapter whose record is not known here.")
]
LicenceOverrideOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--licence-override",
        metavar="'LICENCE: REASON'",
        help="The licence that holds whatever it is made from, and why; it is recorded.",
    ),
]
NonfiniteOption: TypeAlias = Annotated[bool, typer.Option("--allow-nonfinite", help="Let NaN and Inf of parents pass.")]
LayoutOption: TypeAlias = Annotated[
    str | None,
    typer.Option("--layout", help="Names and shapes of what is stored: published, fused or as one of the models."),
]
TrustedKeysOption: TypeAlias = Annotated[
    list[Path] | None,
    typer.Option("--key", metavar="PEM", help="A public key that you trust; may be given several times."),
]
