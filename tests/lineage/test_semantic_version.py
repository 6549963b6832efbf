"""Semantic versions: the grammar and the precedence of semver.org 2.0.0, examples from there."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.errors import UsageError
from lineal.lineage.records.semantic_version import LONGEST, SemanticVersion

RECOMMENDED = re.compile(
    r"^(?P<major>0|[1-9]\d*)\.(?P<minor>0|[1-9]\d*)\.(?P<patch>0|[1-9]\d*)"
    r"(?:-(?P<prerelease>(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)"
    r"(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?"
    r"(?:\+(?P<buildmetadata>[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?$",
    re.ASCII,
)
"""The expression that semver.org recommends."""

VALID = """
0.0.4 1.2.3 10.20.30 1.1.2-prerelease+meta 1.1.2+meta 1.1.2+meta-valid 1.0.0-alpha 1.0.0-beta 1.0.0-alpha.beta
1.0.0-alpha.beta.1 1.0.0-alpha.1 1.0.0-alpha0.valid 1.0.0-alpha.0valid
1.0.0-alpha-a.b-c-somethinglong+build.1-aef.1-its-okay 1.0.0-rc.1+build.1 2.0.0-rc.1+build.123 1.2.3-beta
10.2.3-DEV-SNAPSHOT 1.2.3-SNAPSHOT-123 1.0.0 2.0.0 1.1.7 2.0.0+build.1848 2.0.1-alpha.1227 1.0.0-alpha+beta
1.2.3----RC-SNAPSHOT.12.9.1--.12+788 1.2.3----R-S.12.9.1--.12+meta 1.2.3----RC-SNAPSHOT.12.9.1--.12
1.0.0+0.build.1-rc.10000aaa-kk-0.1 99999999999999999999999.999999999999999999.99999999999999999 1.0.0-0A.is.legal
"""

INVALID = """
1 1.2 1.2.3-0123 1.2.3-0123.0123 1.1.2+.123 +invalid -invalid -invalid+invalid -invalid.01 alpha alpha.beta
alpha.beta.1 alpha.1 alpha+beta alpha_beta alpha. alpha.. beta 1.0.0-alpha_beta -alpha. 1.0.0-alpha.. 1.0.0-alpha..1
1.0.0-alpha...1 1.0.0-alpha....1 1.0.0-alpha.....1 1.0.0-alpha......1 1.0.0-alpha.......1 01.1.1 1.01.1 1.1.01 1.2
1.2.3.DEV 1.2-SNAPSHOT 1.2.31.2.3----RC-SNAPSHOT.12.09.1--..12+788 1.2-RC-SNAPSHOT -1.0.3-gamma+b7718 +justmeta
9.8.7+meta+meta 9.8.7-whatever+meta+meta v1.2.3 1.2.3- 1.2.3+
99999999999999999999999.999999999999999999.99999999999999999----RC-SNAPSHOT.12.09.1--------------------------------..12
"""

ASCENDING = """
0.9.9 1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta 1.0.0-beta.2 1.0.0-beta.11 1.0.0-rc.1 1.0.0 1.0.1 1.1.0
1.9.0 1.10.0 2.0.0 2.1.0 2.1.1
"""

numbers = st.integers(0, 12).map(str)
identifiers = st.one_of(numbers, st.from_regex(r"[0-9]{0,2}[A-Za-z-][0-9A-Za-z-]{0,2}", fullmatch=True))
prereleases = st.lists(identifiers, max_size=3).map(".".join)
builds = st.lists(st.from_regex(r"[0-9A-Za-z-]{1,3}", fullmatch=True), max_size=2).map(".".join)
versions = st.builds(
    SemanticVersion, st.integers(0, 2), st.integers(0, 2), st.integers(0, 2), prerelease=prereleases, build=builds
)


@pytest.mark.parametrize("text", VALID.split())
def test_what_the_standard_allows_is_read_and_written_alike(text: str):
    version = SemanticVersion.parse(text)
    assert str(version) == text
    said = RECOMMENDED.fullmatch(text)
    assert said is not None
    assert (str(version.major), str(version.minor), str(version.patch)) == said.group("major", "minor", "patch")
    assert (version.prerelease or None, version.build or None) == said.group("prerelease", "buildmetadata")


@pytest.mark.parametrize("text", ["", " 1.0.0", "1.0.0 ", "1.0.0\n", "1.0.\u0663", "1.0.0-\u00e9", *INVALID.split()])
def test_what_the_standard_refuses_is_refused(text: str):
    with pytest.raises(UsageError) as refused:
        _ = SemanticVersion.parse(text)
    assert str(refused.value).startswith(f"{text!r} is not a semantic version: MAJOR.MINOR.PATCH is needed")


@given(versions.map(str), st.integers(0, 20), st.integers(0, 2), st.text("019.-+aZ_\u0663\n", max_size=2))
def test_the_grammar_is_that_of_the_standard(written: str, place: int, removed: int, put: str):
    text = written[:place] + put + written[place + removed :]
    allowed = RECOMMENDED.fullmatch(text) is not None
    if allowed:
        assert str(SemanticVersion.parse(text)) == text
    else:
        with pytest.raises(UsageError):
            _ = SemanticVersion.parse(text)


def test_a_version_longer_than_any_use_is_refused():
    assert SemanticVersion.parse("1.0.0-" + "9" * (LONGEST - 6)) > SemanticVersion.parse("1.0.0-1")
    with pytest.raises(UsageError, match="has at most 255 characters, got 5005"):
        _ = SemanticVersion.parse("1" * 5001 + ".0.0")


@pytest.mark.parametrize(("lower", "higher"), [*pairwise(ASCENDING.split())])
def test_precedence_is_that_of_the_standard(lower: str, higher: str):
    assert SemanticVersion.parse(lower) < SemanticVersion.parse(higher)
    assert not SemanticVersion.parse(higher) <= SemanticVersion.parse(lower)


def test_build_metadata_are_kept_and_count_for_nothing():
    one, other, none = (SemanticVersion.parse(text) for text in ("1.0.0+a", "1.0.0+b", "1.0.0"))
    assert one == other == none
    assert len({one, other, none}) == 1
    assert not one < other
    assert not one > other
    assert (one.build, str(other)) == ("a", "1.0.0+b")


@given(versions, versions, versions)
def test_versions_are_totally_ordered(a: SemanticVersion, b: SemanticVersion, c: SemanticVersion):
    assert [a < b, a == b, a > b].count(True) == 1
    assert (a <= b) == (not a > b)
    assert (a == b) == (a <= b <= a)
    if a <= b <= c:
        assert a <= c
    if a == b:
        assert hash(a) == hash(b)


@given(versions, versions)
def test_versions_are_ordered_as_the_standard_says(a: SemanticVersion, b: SemanticVersion):
    assert (a < b) == (compared(a, b) < 0)


def compared(a: SemanticVersion, b: SemanticVersion) -> int:
    """Paragraph 11 of the standard, clause by clause."""
    for one, other in ((a.major, b.major), (a.minor, b.minor), (a.patch, b.patch)):
        if one != other:
            return one - other
    if not a.prerelease or not b.prerelease:
        return bool(b.prerelease) - bool(a.prerelease)
    left, right = a.prerelease.split("."), b.prerelease.split(".")
    for one, other in zip(left, right, strict=False):
        if one == other:
            continue
        if one.isdigit() and other.isdigit():
            return int(one) - int(other)
        if one.isdigit() or other.isdigit():
            return other.isdigit() - one.isdigit()
        return -1 if one.encode("ascii") < other.encode("ascii") else 1
    return len(left) - len(right)


@given(versions)
def test_a_version_is_read_back_as_it_was_written(version: SemanticVersion):
    again = SemanticVersion.parse(str(version))
    assert (again, again.build) == (version, version.build)


@pytest.mark.parametrize(
    ("prerelease", "build"), [("a+b", ""), ("01", ""), ("a..b", ""), ("a\n", ""), ("", "a+b"), ("", "a_b"), ("", "-.")]
)
def test_parts_that_no_version_has_are_refused(prerelease: str, build: str):
    with pytest.raises(UsageError, match=r"(no|not a) semantic version"):
        _ = SemanticVersion(1, 0, 0, prerelease, build)


def test_negative_numbers_are_refused():
    with pytest.raises(UsageError, match="not a semantic version"):
        _ = SemanticVersion(1, -1, 0)
