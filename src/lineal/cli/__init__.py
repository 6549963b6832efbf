"""The command line: a verb a file; each parses, calls one public function and prints."""

import sys

from lineal.cli.entry import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
