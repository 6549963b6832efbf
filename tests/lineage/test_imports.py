"""The lineage is quick to import and needs nothing that computes."""

import subprocess
import sys

from tests.lineage.families import ROOT

HEAVY = ("numpy", "numba", "torch", "transformers", "pydantic", "sqlalchemy.orm")


def test_the_lineage_imports_nothing_that_computes():
    program = f"""
import sys
import lineal.lineage.database.locate, lineal.lineage.questions.ancestry, lineal.lineage.questions.graph
import lineal.lineage.questions.portrait, lineal.lineage.registry
import lineal.lineage.shown.as_json, lineal.lineage.shown.picture
print([name for name in {HEAVY} if name in sys.modules])
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert ran.stdout == "[]\n"
