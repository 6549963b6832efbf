"""Which inputs a step records: a base where the method computes with one, and never by guessing."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lineal.errors import MethodError
from lineal.family.build.inputs import merge_inputs
from lineal.family.build.run import run_family
from lineal.family.file.read import read_family
from lineal.family.session import Inputs, Session
from lineal.lineage.records.lineal_json import read_provenance
from lineal.methods.merge.nuslerp import NuSlerp
from lineal.methods.merge.ties import Ties
from tests.builders import make_adapter, read_folder
from tests.family.conftest import SHAPES, write_family

PARENTS = """
models:
  a: {original: {path: ./a}}
  b: {original: {path: ./b}}
  c: {original: {path: ./c}}
"""


def run(session: Session, folder: Path, merge: str, parents: str = PARENTS) -> Path:
    family = read_family(write_family(folder, f"{parents}  child: {{merge: {merge}}}\n"), session.knows)
    return run_family(session, family, folder / "models")["child"].folder


def roles(child: Path) -> list[str]:
    provenance = read_provenance(child)
    assert provenance is not None
    return [given.role for given in provenance.step.inputs]


def test_an_optional_base_is_an_input_where_it_is_named(session: Session, parents: Path) -> None:
    a, b, c = (read_folder(parents / name) for name in "abc")
    without = run(session, parents, "{parents: [b, c], method: nuslerp}")
    assert roles(without) == ["parent", "parent"]
    found = read_folder(without)
    assert all(np.array_equal(found[name], NuSlerp()([b[name], c[name]])) for name in SHAPES)
    on_base = run(session, parents, "{parents: [b, c], base: a, method: nuslerp}")
    assert roles(on_base) == ["base", "parent", "parent"]
    found = read_folder(on_base)
    assert all(np.array_equal(found[name], NuSlerp()([b[name], c[name]], base=a[name])) for name in SHAPES)


def test_where_a_base_is_optional_an_adapter_s_has_to_be_named(session: Session, parents: Path) -> None:
    pair = (np.ones((2, 8), np.float32), np.ones((16, 2), np.float32))
    make_adapter(parents / "tuned", {"model.layers.0.mlp.up_proj": pair})
    adapted = f"{PARENTS}  tuned: {{original: {{path: ./tuned}}}}\n"
    child = run(session, parents, "{parents: [tuned, b], base: a, method: nuslerp}", adapted)
    assert roles(child) == ["base", "adapter", "parent"]
    with pytest.raises(MethodError, match=r"nuslerp: the base of the adapter .*tuned is not known; name it as base"):
        run(session, parents, "{parents: [tuned, c], method: nuslerp}", adapted)
    whole = f"{adapted}  whole: {{merge: {{parents: [tuned], base: a, method: adapter}}}}\n"
    weights = run(session, parents, "{parents: [whole, c], method: nuslerp}", whole)
    assert roles(weights) == ["parent", "parent"]


def test_a_known_base_of_an_adapter_is_taken_only_where_a_method_always_needs_one(
    session: Session, parents: Path
) -> None:
    pair = (np.ones((2, 8), np.float32), np.ones((16, 2), np.float32))
    base, other = (session.identify(session.open(name, parents / name)) for name in "ab")
    folder = make_adapter(parents / "tuned", {"model.layers.0.mlp.up_proj": pair})
    tuned = replace(session.open("tuned", folder), base=base)
    parents_alone: Inputs = (("parent", tuned), ("parent", other))
    assert merge_inputs(Ties(), parents_alone) == (("base", base), ("adapter", tuned), ("parent", other))
    with pytest.raises(MethodError) as caught:
        merge_inputs(NuSlerp(), parents_alone)
    assert str(caught.value) == (
        "nuslerp: tuned is an adapter; name its base, for a merge of task vectors, "
        "or make it part of its base first, for a merge of weights"
    )


def test_passthrough_hands_on_one_parent(session: Session, parents: Path) -> None:
    child = run(session, parents, "{parents: [b], method: passthrough, scale: 0.5}")
    b, found = read_folder(parents / "b"), read_folder(child)
    assert roles(child) == ["parent"]
    assert all(np.array_equal(found[name], np.float32(0.5) * b[name]) for name in SHAPES)
