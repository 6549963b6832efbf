"""Family files and recipes as things with a hash: what was built from them, and who asked for a model."""

import json
from pathlib import Path

from blake3 import blake3

from tests.cli.conftest import Command

FAMILY = "family: mine\nmodels:\n  a: {original: {path: ./a}}\n  b: {original: {path: ./b}}\n"
MEAN = "  mean: {merge: {parents: [a, b], method: linear}}\n"
RECIPE = (
    "merge_method: linear\nmodels: [{model: ./a, parameters: {weight: 1}}, {model: ./b, parameters: {weight: 1}}]\n"
)


def test_a_family_file_is_found_with_what_it_asked_for(lineal: Command, tmp_path: Path) -> None:
    (tmp_path / "family.yaml").write_text(FAMILY + MEAN)
    assert lineal("run", "family.yaml", "b").code == 0
    assert lineal("find", "family.yaml").out == "family.yaml: recipe of b\n"
    assert lineal("run", "family.yaml").code == 0
    assert lineal("run", "family.yaml").code == 0  # which finds all of it
    found = json.loads(lineal("find", "./family.yaml", "--json").out)
    assert (sorted(found["built_from"]), found["made_on"]) == (["a", "b", "mean"], [])
    (tmp_path / "family.yaml").write_text(FAMILY + MEAN + "  c: {original: {path: ./c}}\n")
    answer = lineal("find", "family.yaml")
    assert (answer.code, answer.out) == (1, "")
    assert answer.err == "lineal: no known model was made or scored on family.yaml, or built from it\n"
    assert lineal("check").code == 0


def test_a_model_shows_the_files_that_asked_for_it(lineal: Command, tmp_path: Path) -> None:
    (tmp_path / "family.yaml").write_bytes((FAMILY + MEAN).replace("\n", "\r\n").encode())
    (tmp_path / "recipe.yml").write_text(RECIPE)
    assert lineal("run", "family.yaml").code == 0
    assert lineal("merge", "recipe.yml", "blend").code == 0
    family, recipe = (blake3((tmp_path / name).read_bytes()).hexdigest() for name in ("family.yaml", "recipe.yml"))
    shown = lineal("show", "./blend").out  # the same model by either file
    assert f"asked for in     family.yaml (b3:{family[:8]})\n{' ' * 17}recipe.yml (b3:{recipe[:8]})\n" in shown
    told = json.loads(lineal("show", "mine:mean", "--json").out)["recipes"]
    assert {"name": "family.yaml", "hash": f"b3:{family}"} in told
    assert lineal("merge", "./a", "./b", "--method", "slerp", "--out", "arc").code == 0
    assert json.loads(lineal("show", "arc", "--json").out)["recipes"] == []
