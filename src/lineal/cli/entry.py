"""The `lineal` command: dispatch, and one line for every error."""

import sys
from collections.abc import Sequence

import typer

from lineal.cli.app import app
from lineal.errors import LinealError

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 done, 1 the answer is no, 2 usage or recipe, 3 files or registry."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    try:
        result = typer.main.get_command(app).main([w for w in words if w != "--debug"], "lineal", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except LinealError as error:
        return _fail(error, str(error), error.exit_code, debug)
    except typer.TyperException as error:
        return _fail(error, error.format_message(), 2, debug)
    except (KeyboardInterrupt, typer.Abort) as error:
        return _fail(error, "interrupted; the same command continues where it was", INTERRUPTED, debug)
    except OSError as error:
        return _fail(error, str(error), 3, debug)


def _fail(error: BaseException, message: str, code: int, debug: bool) -> int:
    if debug:
        import traceback

        traceback.print_exception(error)
    print(f"lineal: {message}", file=sys.stderr)
    return code
