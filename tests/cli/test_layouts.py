"""The same weights in another layout, as the verbs tell it."""

import json
from pathlib import Path

import pytest

import lineal as package
from lineal.checkpoint.content.hashing import hash_folder
from lineal.derivation.hashes import format_hash
from lineal.lineage.registry import Registry
from tests.cli.conftest import Command
from tests.lineage.families import step
from tests.mixtures import fused, mixture, tuned, write_mixture

SAME = "the same weights in another layout"


@pytest.fixture
def layouts(lineal: Command, tmp_path: Path) -> str:
    """Folders `apart` and `fused` of the same weights; their layout hash."""
    weights = mixture(1)
    write_mixture(tmp_path / "apart", weights)
    write_mixture(tmp_path / "fused", fused(weights))
    layout_hash = hash_folder(tmp_path / "apart").layout_hash
    assert layout_hash is not None
    return format_hash(layout_hash)


@pytest.fixture
def known(lineal: Command, layouts: str) -> str:
    """Both of them added."""
    assert lineal("add", "./apart", "./fused").code == 0
    return layouts


def unknown() -> str:
    """The folder of a model whose layouts are not known."""
    Path("a/config.json").write_text('{"model_type": "unheard_of"}')
    return "./a"


def test_add_tells_the_layout_hash_and_who_has_it(lineal: Command, layouts: str) -> None:
    assert lineal("add", "./apart").out.endswith(f"; layout hash {layouts}\n")
    told = lineal("add", "./fused")
    assert told.out.endswith(f"; layout hash {layouts} ({SAME}: apart)\n")
    (found,) = json.loads(lineal("add", "./fused", "--json").out)
    (apart,) = json.loads(lineal("add", "./apart", "--json").out)
    assert found["layout_hash"] == apart["layout_hash"] == layouts
    assert (found["in_another_layout"], found["model_hash"]) == ([apart["model_hash"]], apart["in_another_layout"][0])
    assert json.loads(lineal("add", unknown(), "--json").out)[0]["layout_hash"] is None


def test_show_tells_the_layout_hash_and_who_has_it(lineal: Command, known: str) -> None:
    assert f"layout hash      {known} ({SAME}: fused)\n" in lineal("show", "apart").out
    told = json.loads(lineal("show", "fused", "--json").out)
    assert (told["layout_hash"], [told["labels"][one] for one in told["in_another_layout"]]) == (known, ["apart"])
    assert lineal("add", unknown()).code == 0
    assert "layout hash      not known\n" in lineal("show", "a").out
    assert json.loads(lineal("show", "a", "--json").out)["layout_hash"] is None


def test_a_step_that_only_stores_them_otherwise_is_told_as_such(lineal: Command, known: str) -> None:
    with Registry.open_existing(Path(".lineal/registry.db")) as registry:
        hashes = {name: registry.resolve(name) for name in ("apart", "fused")}
        registry.record(step(hashes["fused"], hashes["apart"], method="passthrough"))
    told = lineal("show", "fused").out
    assert f"made by          fine-tune, method passthrough (version 1); {SAME} as apart\n" in told
    assert f"recorded  {SAME}\n" in lineal("log", "fused").out
    (made,) = json.loads(lineal("show", "fused", "--json").out)["steps"]
    assert (made["another_layout_of"], made["reproduces"]) == (format_hash(hashes["apart"]), False)
    assert SAME not in lineal("log", "apart").out
    assert lineal("check").code == 0


def test_a_model_in_python_has_its_layout_hash(layouts: str) -> None:
    assert package.open("./fused").layout_hash == package.open("./apart").layout_hash == layouts
    assert package.open(unknown()).layout_hash is None


def test_find_tells_the_same_weights_in_another_layout_and_what_is_shared(lineal: Command, layouts: str) -> None:
    write_mixture(Path("tuned"), fused(tuned(mixture(1), 2, "experts.0.gate_proj")))
    assert lineal("add", "./apart", "./tuned").code == 0
    assert lineal("find", "./fused").out.splitlines() == [f"apart  {SAME}", "tuned  26 of 28 tensors, 36.4 kB"]
    told = json.loads(lineal("find", "./fused", "--json").out)
    assert (told["layout_hash"], told["tensors"]) == (layouts, 8)
    assert [match["another_layout"] for match in told["matches"]] == [True, False]
    assert [(match["shared_tensors"], match["of_tensors"]) for match in told["matches"]] == [(28, 28), (26, 28)]


def test_find_takes_a_layout_hash(lineal: Command, known: str) -> None:
    assert lineal("find", known).out.splitlines() == [f"{name}  layout hash {known}" for name in ("apart", "fused")]
    assert [one["label"] for one in json.loads(lineal("find", known[:11], "--json").out)] == ["apart", "fused"]
    nothing = lineal("find", "b3:00000000")
    assert (nothing.code, nothing.err) == (1, "lineal: no known model has a layout hash that begins with b3:00000000\n")
    assert lineal("show", known).code == 2


def test_diff_tells_that_only_the_layout_is_another(lineal: Command, known: str) -> None:
    told = lineal("diff", "apart", "fused")
    assert (told.code, told.out, told.err) == (0, "the weights are the same, in another layout\n", "")
    found = json.loads(lineal("diff", "fused", "apart", "--json").out)
    assert (found["same_weights"], found["another_layout"], len(found["tensors"])) == (True, True, 28)
    assert json.loads(lineal("diff", "fused", "fused", "--json").out)["another_layout"] is False
    measured = lineal("diff", "apart", "fused", "--weights", "--json")
    assert (measured.code, len(json.loads(measured.out))) == (0, 28)
    assert {(one["norm"], one["changed"]) for one in json.loads(measured.out)} == {(0.0, 0.0)}


def test_diff_names_published_tensors_of_models_in_two_layouts(lineal: Command, known: str) -> None:
    write_mixture(Path("tuned"), fused(tuned(mixture(1), 2, "experts.0.gate_proj")))
    told = lineal("diff", "apart", "./tuned")
    assert (told.code, told.out) == (
        1, "outside blocks: 2 same\nblocks 0-1: 1 changed (mlp.experts.0.gate_proj), 12 same\n"
    )  # fmt: skip
    measured = json.loads(lineal("diff", "apart", "./tuned", "--weights", "--json").out)
    assert [one["name"] for one in measured if one["norm"]] == [
        f"model.layers.{block}.mlp.experts.0.gate_proj.weight" for block in range(2)
    ]


def test_blame_follows_tensors_from_one_layout_into_another(lineal: Command, known: str) -> None:
    write_mixture(Path("tuned"), fused(tuned(mixture(1), 2, "experts.0.gate_proj")))
    assert lineal("add", "./tuned").code == 0
    with Registry.open_existing(Path(".lineal/registry.db")) as registry:
        registry.record(step(registry.resolve("tuned"), registry.resolve("apart")))
    assert sorted(lineal("blame", "tuned").out.splitlines()) == ["apart  26 tensors", "tuned  2 tensors"]
    refused = lineal("blame", "tuned", "model.layers.1.mlp.experts.down_proj")
    assert (refused.code, refused.err.count("\n")) == (2, 1)
    assert "model.layers.1.mlp.experts.0.down_proj.weight" in refused.err


def test_a_folder_in_two_layouts_is_known_and_told_by_name(lineal: Command, tmp_path: Path) -> None:
    weights = mixture(1)
    write_mixture(tmp_path / "both", {**weights, **fused(weights)})
    added = lineal("add", "./both")
    assert added.code == 0
    assert "layout hash" not in added.out
    assert "nothing can be made of it, and it has no layout hash: both: holds 'model.layers.0." in added.err
    assert added.err.count("\n") == 1
