"""The exception tree: what the command line makes an exit code of, drawn as it is."""

import re
from collections.abc import Iterator

import pytest

from lineal import errors
from lineal.errors import LinealError, MissingExtra

DRAWN = re.findall(r"^[ |`-]*([A-Z]\w+) +(?:exit code|(\d))", errors.__doc__ or "", re.MULTILINE)


def tree(root: type[LinealError]) -> Iterator[type[LinealError]]:
    yield root
    for child in root.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from tree(child)


def test_the_tree_is_drawn_as_it_is() -> None:
    assert [name for name, _ in DRAWN] == [error.__name__ for error in tree(LinealError)]


@pytest.mark.parametrize("error", list(tree(LinealError))[1:])
def test_every_error_has_the_exit_code_that_is_drawn(error: type[LinealError]) -> None:
    assert str(error.exit_code) == dict(DRAWN)[error.__name__]


def test_a_missing_extra_says_how_to_install_it() -> None:
    assert str(MissingExtra("fine-tuning", "train")) == (
        "fine-tuning needs the extra 'train': pip install 'lineal[train]'"
    )
