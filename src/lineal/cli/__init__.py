"""The command line: a verb a file; each parses, calls one public function and prints."""

import signal


def main() -> int:
    """The `lineal` command."""
    # nothing is under way while the command line itself is loaded: Ctrl-C just ends it, without a traceback
    _ = signal.signal(signal.SIGINT, signal.SIG_DFL)
    from lineal.cli.entry import main as run_command

    return run_command()
