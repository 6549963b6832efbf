"""What a registry says of the household: everything but times, and hashes that hold times."""

import json
from typing import Any

from tests.storm.judging import outcome

ASKED = (
    "list --json",
    "journal --json",
    "policy --json",
    "log --all --json",
    "tainted a b mean lean --json",
    "licence mean --json",
)
PASSING = ("created", "hash", "number", "recorded", "since", "environment", "seconds")


def answers() -> dict[str, Any]:
    return {line: _without_times(json.loads(outcome(tuple(line.split())).out or "null")) for line in ASKED}


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_times(item) for key, item in value.items() if key not in PASSING}
    if isinstance(value, list):
        return [_without_times(item) for item in value]
    return value
