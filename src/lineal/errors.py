"""Every error lineal raises on purpose.

    LinealError                 exit code
    |-- AnswerIsNo              1   the question was understood; the answer is no
    |   |-- LicenceConflict     1   licences that cannot be kept together in one model
    |   `-- VerificationFailed  1   bytes or a recomputation differ from the record
    |-- UsageError              2   a call or a recipe that cannot mean anything
    |   |-- RecipeError         2   faults in a family file, all at once, with lines
    |   |-- MethodError         2   an unknown method, or an option out of its range
    |   |-- DerivationError     2   a derivation, step or hash that is not valid
    |   |-- LineageCycle        2   an edge that would make a model its own ancestor
    |   `-- MissingExtra        2   a command that needs an extra that is not installed
    `-- StorageError            3   files or the registry
        |-- CheckpointError     3   a damaged, unsafe or unsuitable checkpoint
        |-- RegistryError       3   the registry cannot be opened, read or written
        `-- NotEnoughSpace      3   refused before the first byte was written

Each is one line for the user: what was found, where, and what to do.
"""

from typing import ClassVar

from lineal.shown import LONGEST_LINE, printable, shortened


class LinealError(Exception):
    """The root of the tree: catch this to catch everything lineal raises on purpose.

    Its arguments are its lines. They quote what others wrote, so none of them is longer than a screen or holds what a
    terminal would obey.
    """

    exit_code: ClassVar[int] = 3

    @property
    def lines(self) -> tuple[str, ...]:
        """What is said, a line each, as it may be shown."""
        return tuple(shortened(printable(str(line)), LONGEST_LINE) for line in self.args)

    def __str__(self) -> str:
        return "\n".join(self.lines)


class AnswerIsNo(LinealError):
    """The question was understood, and the answer is no: exit code 1."""

    exit_code = 1


class LicenceConflict(AnswerIsNo):
    """Licences that cannot be kept together in one model."""


class VerificationFailed(AnswerIsNo):
    """Bytes, or what a recomputation made, differ from the record."""


class UsageError(LinealError):
    """A call, a command line or a recipe that cannot mean anything: exit code 2."""

    exit_code = 2


class RecipeError(UsageError):
    """The faults of a family file or a recipe, all at once, with their lines."""


class MethodError(UsageError):
    """An unknown method, or an option out of its range."""


class DerivationError(UsageError):
    """A derivation, a step or a hash that is not valid."""


class LineageCycle(UsageError):
    """An edge that would make a model its own ancestor."""


class MissingExtra(UsageError):
    """A feature whose optional dependencies are absent."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs the extra '{extra}': pip install 'lineal[{extra}]'")


class StorageError(LinealError):
    """Files or the registry: exit code 3."""

    exit_code = 3


class CheckpointError(StorageError):
    """A damaged, unsafe or unsuitable model folder or file."""


class RegistryError(StorageError):
    """The registry cannot be opened, read or written."""


class NotEnoughSpace(StorageError):
    """A disk without room for what would be written; refused before the first byte was."""
