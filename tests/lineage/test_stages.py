"""Stages: development, staging, production, archived; one step on, one step back, and from the end to the beginning."""

from itertools import product

import pytest

from lineal.errors import UsageError
from lineal.lineage.records.stages import Stage

ALLOWED = {
    ("development", "staging"),
    ("staging", "production"),
    ("production", "archived"),
    ("staging", "development"),
    ("production", "staging"),
    ("archived", "development"),
}
"""As the specification has it."""


@pytest.mark.parametrize(("here", "there"), [*product(Stage, Stage)])
def test_a_stage_leads_one_step_on_or_back_and_the_archive_to_development(here: Stage, there: Stage):
    assert (there in here.next_stages) == ((here.value, there.value) in ALLOWED)


def test_the_way_on_is_named_before_the_way_back():
    assert [stage.next_stages[0].value for stage in Stage] == ["staging", "production", "archived", "development"]


def test_a_stage_is_said_by_its_word():
    assert [Stage.parse(stage.value) for stage in Stage] == list(Stage)


@pytest.mark.parametrize("word", ["", "prod", "Production", "PRODUCTION", "staging "])
def test_a_word_that_is_no_stage_is_refused_with_those_there_are(word: str):
    with pytest.raises(UsageError) as refused:
        _ = Stage.parse(word)
    assert str(refused.value) == f"there is no stage {word!r} (stages: development, staging, production, archived)"
