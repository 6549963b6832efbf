"""What `make real` runs: real models through lineal's verbs, each command timed, each result held against bounds.

Started again after a kill it continues, since every command finds what it did before.
"""

import subprocess
import sys
import time
from pathlib import Path

from examples.commands import INTERRUPTED, Commands
from examples.real import encoder, language_model
from examples.real.checked import Checked
from examples.real.fetch import fetch

BUILD = Path(__file__).resolve().parents[2] / "build" / "real"
TEXT_CHARACTERS = 3000
"""Of each text that is predicted: the whole takes minutes on a slow machine."""


def main() -> None:
    began = time.monotonic()
    fetch(BUILD)
    gather()
    real = Checked(Commands(BUILD, BUILD / ".lineal" / "registry.db"))
    language_model.tour(real, BUILD)
    encoder.tour(real, BUILD)
    real.step("verify --family real")
    real.step("check")
    real.table()
    print(f"\nAll of it took {time.monotonic() - began:.0f} s. The picture is in build/real/family.svg.")


def gather() -> None:
    """The texts of `make demo`, in a process of its own: a command's peak of memory begins with this one's."""
    command = [sys.executable, "-m", "examples.demo.gather", str(BUILD / "texts")]
    subprocess.run(command, start_new_session=True, check=True)  # Ctrl-C is this process's to answer
    for domain in ("prose", "code"):
        whole = (BUILD / "texts" / f"{domain}.eval.txt").read_text(encoding="utf-8")
        (BUILD / f"{domain}.txt").write_text(whole[:TEXT_CHARACTERS], encoding="utf-8", newline="\n")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print("real: interrupted; `make real` continues where it was", file=sys.stderr)
        sys.exit(INTERRUPTED)
