"""What `import lineal` offers: the same to a reader, a type checker and a program."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import lineal
from lineal import errors

SOURCE = ast.parse(Path(lineal.__file__).read_text())


def imported() -> dict[str, tuple[str, str]]:
    """Public name -> its module and its name there, as type checkers see them."""
    found: dict[str, tuple[str, str]] = {}
    for node in ast.walk(SOURCE):
        if (
            isinstance(node, ast.ImportFrom)
            and str(node.module).startswith("lineal.")
            and node.module != "lineal.shown"
        ):
            found |= {alias.asname or alias.name: (str(node.module), alias.name) for alias in node.names}
    return found


def test_the_names_that_are_typed_are_those_that_are_loaded() -> None:
    assert imported() == lineal._HOME
    assert sorted([*lineal._HOME, "__version__"]) == sorted(lineal.__all__) == dir(lineal)


@pytest.mark.parametrize("name", lineal.__all__)
def test_every_name_is_there_and_says_what_it_is(name: str) -> None:
    found = getattr(lineal, name)
    assert name == "__version__" or isinstance(found.__doc__, str) or issubclass(found, errors.LinealError)


def test_every_error_is_public() -> None:
    tree = {name for name, value in vars(errors).items() if isinstance(value, type)}
    assert {name for name in tree if issubclass(getattr(errors, name), errors.LinealError)} <= set(lineal.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'merg'"):
        _ = lineal.merg


def test_importing_lineal_imports_nothing_heavy() -> None:
    program = "import sys, lineal; print({'numpy', 'torch', 'numba', 'sqlalchemy', 'pydantic'} & set(sys.modules))"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "set()"


def test_a_type_checker_refuses_an_option_that_is_none(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text("import lineal\n\nlineal.Ties(density=0.2)\nlineal.Ties(dencity=0.2)\nlineal.open('m').hsh\n")
    (tmp_path / "pyrightconfig.json").write_text('{"include": ["program.py"]}')
    ended = subprocess.run(
        [sys.executable, "-m", "basedpyright", "--pythonpath", sys.executable, "-p", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    errors_told = [line for line in ended.stdout.splitlines() if " - error: " in line]
    assert ['"dencity"' in line or '"hsh"' in line for line in errors_told] == [True, True], ended.stdout
