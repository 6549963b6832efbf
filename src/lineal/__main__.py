"""python -m lineal: the command line."""

import sys

from lineal.cli import main

sys.exit(main())
