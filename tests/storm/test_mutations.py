"""Every verb on changed inputs: it refuses them in one line, or does what it says; nothing else happens."""

import random
from pathlib import Path

import pytest

from tests.storm.commands import COMMANDS, Command
from tests.storm.house import at_home, restore
from tests.storm.judging import Hanging, contents, faults, outcome
from tests.storm.mutations import mutate


def files(folder: Path, command: Command) -> list[Path]:
    """One for every mention in what the command reads."""
    return [path for glob in command.reads for path in sorted(folder.glob(glob)) if path.is_file()]


@pytest.mark.storm(10_000)
def test_a_changed_input_is_refused_or_understood(seed: int, template: Path) -> None:
    draw = random.Random(seed)
    house = template.with_name("house")
    restore(template, house)
    command = draw.choices(COMMANDS, [command.weight for command in COMMANDS])[0]
    said = mutate(draw.choice(files(house, command)), template.with_name("outside") / "secret.json", draw)
    before = contents(house)
    with at_home(house):
        try:
            found = outcome(command.words)
        except Hanging:
            pytest.fail(f"{said} | lineal {command}: did not end")
        except BaseException as error:
            raise AssertionError(f"{said} | lineal {command}: {error!r:.300}") from error
    wrong = list(faults(command, before, found, house))
    assert not wrong, f"{said} | lineal {command}: {found.code} {found.err[:600]!r} | {wrong}"


@pytest.mark.faults
@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_a_command_does_its_work_where_nothing_was_changed(command: Command, template: Path) -> None:
    """Else the storm would only meet refusals."""
    house = template.with_name("house")
    restore(template, house)
    before = contents(house)
    with at_home(house):
        found = outcome(command.words)
    assert found.code == command.code, f"{command}: {found}"
    assert not list(faults(command, before, found, house)), command
    assert files(house, command), f"{command} reads nothing"
