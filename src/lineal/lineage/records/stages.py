"""The stages of a version, and the ways between them."""

from collections.abc import Mapping
from enum import Enum
from typing import final

from lineal.errors import UsageError
from lineal.shown import quoted


@final
class Stage(Enum):
    """How far a version has come."""

    DEVELOPMENT = "development"
    STAGING = "staging"
    PRODUCTION = "production"
    ARCHIVED = "archived"

    @classmethod
    def parse(cls, word: str) -> "Stage":
        """The stage of this name; UsageError for any other, with the nearest."""
        stage = STAGES.get(word)
        if stage is None:
            raise UsageError(f"there is no stage {quoted(word)} (stages: {', '.join(STAGES)})")
        return stage

    @property
    def next_stages(self) -> tuple["Stage", ...]:
        """Where a version may go from here: a step on, or a step back."""
        return _TRANSITIONS[self]


STAGES: Mapping[str, Stage] = {stage.value: stage for stage in Stage}

FORWARD = frozenset({(Stage.DEVELOPMENT, Stage.STAGING), (Stage.STAGING, Stage.PRODUCTION)})
"""The moves that bring a version nearer to use."""

_TRANSITIONS: Mapping[Stage, tuple[Stage, ...]] = {
    Stage.DEVELOPMENT: (Stage.STAGING,),
    Stage.STAGING: (Stage.PRODUCTION, Stage.DEVELOPMENT),
    Stage.PRODUCTION: (Stage.ARCHIVED, Stage.STAGING),
    Stage.ARCHIVED: (Stage.DEVELOPMENT,),
}
