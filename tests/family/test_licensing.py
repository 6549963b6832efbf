"""Licences of a family: judged before anything is built, written into cards, kept by the registry."""

import shutil
from pathlib import Path

import pytest
import yaml

from lineal.checkpoint.content.hashing import hash_file
from lineal.errors import LicenceConflict, RecipeError, UsageError
from lineal.family.build.one_off import derive, family_of_one, overridden
from lineal.family.build.plan import plan_family
from lineal.family.file.read import read_family
from lineal.family.file.recipe import Reference
from lineal.family.origin.add import add_folder
from lineal.family.session import Session
from lineal.lineage.licensing import records as licence_records
from lineal.lineage.licensing.effective import judgement
from lineal.methods.merge.linear import Linear
from tests.family.conftest import MERGES, write_family
from tests.family.test_run import run, states

SOUP = """
family: small
models:
  a: {original: {path: ./a}}
  b: {original: {path: ./b}}
  first: {merge: {parents: [a, b], method: slerp, t: 0.5}}
  last: {merge: {parents: [first, a], method: slerp, t: 0.5}}
"""


def card(folder: Path, licence: str) -> None:
    (folder / "README.md").write_text(f"---\nlicense: {licence}\n---\n")


def front(folder: Path) -> dict[str, object]:
    matter = yaml.safe_load((folder / "README.md").read_text().split("---")[1])
    return {key: value for key, value in matter.items() if key.startswith("license")}


def test_a_conflict_stops_a_run_and_a_plan_before_anything_is_built(session: Session, parents: Path) -> None:
    card(parents / "a", "gpl-3.0")
    card(parents / "b", "llama3.1")
    with pytest.raises(LicenceConflict) as refused:
        run(session, parents, SOUP)
    assert str(refused.value) == (
        "first: licence conflict: first <- a is gpl-3.0 (share-alike), first <- b is llama3.1 (field-of-use terms): "
        "gpl-3.0 is share-alike and allows no further restrictions, such as llama3.1 (field-of-use terms); "
        "where their owners agreed to it, record an override with that reason"
    )
    with pytest.raises(LicenceConflict):
        plan_family(session, read_family(write_family(parents, SOUP)), parents / "models")
    assert not (parents / "models").exists()
    assert session.registry.names() == ()
    assert list(run(session, parents, SOUP, "a")) == ["a"]  # alone it is no conflict


def test_a_conflict_that_lies_on_several_ways_is_told_once(session: Session, parents: Path) -> None:
    for name, licence in {"a": "cc-by-nd-4.0", "b": "gpl-3.0", "c": "gemma"}.items():
        card(parents / name, licence)
    with pytest.raises(LicenceConflict) as refused:
        run(session, parents)
    lines = str(refused.value).splitlines()
    assert [line.partition(":")[0] for line in lines] == ["between", "sum"]
    assert "between <- a is cc-by-nd-4.0 (no derivatives)" in lines[0]
    assert "sum <- b is gpl-3.0 (share-alike), sum <- c is gemma" in lines[1]


def test_an_override_in_the_file_lets_it_run_and_is_kept_with_its_reason(session: Session, parents: Path) -> None:
    card(parents / "a", "gpl-3.0")
    card(parents / "b", "llama3.1")
    text = SOUP + "licences: {models: {first: {override: apache-2.0, because: 'a letter of 2026-03-01'}}}\n"
    with pytest.raises(LicenceConflict, match=r"^last: licence conflict|last <- a is gpl-3.0") as refused:
        run(session, parents, text.replace("first: {override: apache-2.0", "first: {override: gemma"))
    assert "last <- first is gemma" in str(refused.value)
    built = run(session, parents, text)
    judged = judgement(session.registry, built["first"].model_hash)
    assert judged.override is not None
    assert (judged.joined, judged.override.because) == ("apache-2.0", "a letter of 2026-03-01")
    assert front(built["first"].folder) == {"license": "apache-2.0"}
    assert front(built["last"].folder) == {"license": "gpl-3.0"}
    assert judgement(session.registry, built["last"].model_hash).joined == "gpl-3.0"


def test_licences_change_neither_hashes_nor_what_is_up_to_date(session: Session, parents: Path) -> None:
    first = run(session, parents)
    before = states(parents / "models")
    text = MERGES + "licences: {models: {a: mit, b: apache-2.0, c: cc0-1.0}}\n"
    second = run(session, parents, text)
    assert {n: p.model_hash for n, p in first.items()} == {n: p.model_hash for n, p in second.items()}
    assert states(parents / "models") == before
    assert judgement(session.registry, second["last"].model_hash).joined == "apache-2.0 AND mit"


def test_the_joined_licence_is_in_the_card_of_a_child(session: Session, parents: Path) -> None:
    card(parents / "a", "mit")
    card(parents / "b", "apache-2.0")
    built = run(session, parents, MERGES)
    assert front(built["between"].folder) == {"license": "other", "license_name": "apache-2.0 AND mit"}
    assert front(built["sum"].folder) == {"license": "other", "license_name": "apache-2.0 AND mit AND unknown"}


def test_what_lineal_made_states_nothing_by_its_own_card(session: Session, parents: Path) -> None:
    card(parents / "a", "mit")
    built = run(session, parents, MERGES, "between")["between"]
    (built.folder / "README.md").write_text("---\nlicense: gpl-3.0\n---\n")
    added = add_folder(session, built.folder)
    assert [one.licence for one in judgement(session.registry, added.model_hash).contributions] == ["mit", "unknown"]


def test_models_from_elsewhere_bring_what_the_registry_knows_of_them(session: Session, parents: Path) -> None:
    for name in "ab":
        add_folder(session, parents / name, f"other:{name}")
    licence_records.state(session.registry, session.registry.resolve("other:a"), "agpl-3.0")
    licence_records.state(session.registry, session.registry.resolve("other:b"), "cc-by-nc-4.0")
    merge = "models: {mix: {merge: {parents: ['other:a', %s], method: slerp, t: 0.5}}}"
    with pytest.raises(LicenceConflict, match=r"mix <- other:a is agpl-3.0 .* mix <- other:b is cc-by-nc-4.0"):
        run(session, parents, merge % "'other:b'")
    with pytest.raises(LicenceConflict, match=r"mix <- other:a is agpl-3.0 .* mix <- .*/b is cc-by-nc-4.0"):
        run(session, parents, merge % (parents / "b"))
    card(parents / "c", "gemma")
    with pytest.raises(LicenceConflict, match=r"mix <- .*/c is gemma"):
        run(session, parents, merge % (parents / "c"))


def test_data_contributes_by_its_content(session: Session, parents: Path) -> None:
    card(parents / "a", "gemma")
    (parents / "val.txt").write_text("some words")
    text = """
models:
  a: {original: {path: ./a}}
  b: {original: {path: ./b}}
  soup: {merge: {parents: [a, b], method: greedy_soup, data: val.txt}}
"""
    with pytest.raises(LicenceConflict, match=r"soup <- val.txt is cc-by-sa-4.0"):
        run(session, parents, text + "licences: {data: {val.txt: CC-BY-SA-4.0}}\n")
    licence_records.state_data(session.registry, hash_file(parents / "val.txt"), "gpl-2.0")
    shutil.move(parents / "val.txt", parents / "renamed.txt")
    with pytest.raises(LicenceConflict, match=r"soup <- renamed.txt is gpl-2.0"):
        run(session, parents, text.replace("val.txt", "renamed.txt"))


def test_an_original_that_says_otherwise_is_no_matter_of_taste(session: Session, parents: Path) -> None:
    card(parents / "a", "llama3.1")
    with pytest.raises(
        UsageError, match=r"a: the family file says mit, but it is llama3\.1 \(its card\); if that is to hold"
    ):
        run(session, parents, MERGES + "licences: {models: {a: mit}}\n")
    assert not (parents / "models").exists()
    text = MERGES + "licences: {models: {a: {override: mit, because: bought}}}\n"
    assert front(run(session, parents, text, "between")["between"].folder)["license_name"] == "mit AND unknown"


def test_a_one_off_verb_takes_an_override(session: Session, parents: Path) -> None:
    card(parents / "a", "gpl-3.0")
    card(parents / "b", "gemma")
    inputs = [Reference("parent", str(parents / name)) for name in "ab"]
    out = parents / "mean"
    family = family_of_one("merge", Linear(), inputs, out)
    with pytest.raises(LicenceConflict):
        derive(session, family, out)
    local = derive(session, overridden(family, out, "mit: both authors agreed"), out)
    judged = judgement(session.registry, local.model_hash)
    assert (judged.joined, judged.override and judged.override.because) == ("mit", "both authors agreed")
    for written in ("mit", "mit:", ": why", "unknown: why", ""):
        with pytest.raises(UsageError):
            overridden(family, out, written)


def test_every_fault_of_the_section_is_told_with_its_line(parents: Path) -> None:
    text = """models:
  a: {original: {path: ./a}}
licences:
  data:
    nothing.txt: mit
  models:
    b: mit
    a: {override: mit}
  texts: {}
"""
    with pytest.raises(RecipeError) as refused:
        read_family(write_family(parents, text))
    lines = [line.partition("family.yaml:")[2] for line in str(refused.value).splitlines()]
    assert [line[:60] for line in lines] == [
        "5: licences: no model of this family is made on 'nothing.txt'"[:60],
        "7: licences: unknown model 'b' (known: a)",
        "8: licences: a: an identifier is needed, or {override: ID, because"[:60],
        "9: unknown key 'texts' (known: data, models)",
    ]
    for wrong in ("a: 3", "a: unknown", "a: [mit]", "a: {override: mit, because: ''}", "a: 'MIT OR GPL-2.0'"):
        with pytest.raises(RecipeError):
            read_family(
                write_family(
                    parents, f"models: {{a: {{original: {{path: ./a}}}}}}\nlicences: {{models: {{{wrong}}}}}\n"
                )
            )
