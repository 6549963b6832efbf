"""The command line: a verb a file; each parses, calls one public function and prints."""

import gc
import os
import signal


def main() -> int:
    """The `lineal` command."""
    # nothing is under way while the command line itself is loaded: Ctrl-C just ends it, without a traceback
    _ = signal.signal(signal.SIGINT, signal.SIG_DFL)
    # a sixth of a command's start went by in looking for garbage among modules; what needs torch looks again
    gc.disable()
    # OpenBLAS's threads, which numpy starts and few commands use, spin for 2^26 cycles before they sleep; now for 2^4
    _ = os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")
    from lineal.cli.entry import main as run_command

    return run_command()
