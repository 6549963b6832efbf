"""Semantic versions, as semver.org 2.0.0 writes and orders them."""

import re
from dataclasses import dataclass, field
from functools import total_ordering
from typing import Self, final

from lineal.errors import UsageError
from lineal.shown import quoted

LONGEST = 255
"""Characters of a version; the standard sets no limit and finds so many overkill."""

_NUMBER = r"0|[1-9][0-9]*"
_IDENTIFIER = r"[0-9A-Za-z-]+"
_PRERELEASE_IDENTIFIER = rf"(?:{_NUMBER}|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_GRAMMAR = re.compile(
    rf"({_NUMBER})\.({_NUMBER})\.({_NUMBER})"
    rf"(?:-({_PRERELEASE_IDENTIFIER}(?:\.{_PRERELEASE_IDENTIFIER})*))?"
    rf"(?:\+({_IDENTIFIER}(?:\.{_IDENTIFIER})*))?"
)


@final
@total_ordering
@dataclass(frozen=True)
class SemanticVersion:
    """A version, ordered by precedence: a pre-release comes before its release, build metadata count for nothing.

    So 1.0.0+a and 1.0.0+b are equal, though they are written differently. prerelease: `rc.1`; build: `20250101`.
    """

    major: int
    minor: int
    patch: int
    prerelease: str = ""
    build: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        parts = (str(self.major), str(self.minor), str(self.patch), self.prerelease, self.build)
        if _parts(str(self)) != parts:
            raise UsageError(f"no semantic version has the parts {', '.join(map(repr, parts))}")

    @classmethod
    def parse(cls, text: str) -> Self:
        """From text such as 1.2.0; UsageError for anything else (Semantic Versioning 2.0.0, without pre-releases)."""
        major, minor, patch, prerelease, build = _parts(text)
        return cls(int(major), int(minor), int(patch), prerelease, build)

    def __str__(self) -> str:
        prerelease = f"-{self.prerelease}" if self.prerelease else ""
        build = f"+{self.build}" if self.build else ""
        return f"{self.major}.{self.minor}.{self.patch}{prerelease}{build}"

    def __lt__(self, other: "SemanticVersion") -> bool:
        return self._precedence < other._precedence

    @property
    def _precedence(self) -> tuple[object, ...]:
        """Numbers before words, numbers by size, words by ASCII, a shorter list before one that goes on."""
        identifiers = self.prerelease.split(".") if self.prerelease else []
        ranked = [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in identifiers]
        return self.major, self.minor, self.patch, not ranked, ranked


def _parts(text: str) -> tuple[str, ...]:
    if len(text) > LONGEST:
        raise UsageError(f"a semantic version has at most {LONGEST} characters, got {len(text)}")
    found = _GRAMMAR.fullmatch(text)
    if found is None:
        raise UsageError(
            f"{quoted(text)} is not a semantic version: MAJOR.MINOR.PATCH is needed, such as 1.2.0 or 1.2.0-rc.1, "
            "without leading zeros"
        )
    return found.groups(default="")
