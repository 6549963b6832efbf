"""lineal log: the tree in the terminal, as JSON and as a picture."""

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from lineal.lineage.questions import ancestry
from lineal.lineage.records.evidence import Evidence
from lineal.lineage.records.records import Name
from lineal.lineage.registry import Registry
from tests.cli.conftest import Run
from tests.lineage.families import EXAMPLE, ROOT, Member, add_family, digest, step


def test_the_tree_shows_roots_first_and_each_model_once(registry: Registry, run: Run):
    hashes = add_family(registry)
    (both,) = registry.steps_of(hashes["both"])
    _ = registry.raise_evidence(both, Evidence.REPLAYED, 1.0)
    code, out, err = run("log")
    assert (code, err) == (0, "")
    assert out == (ROOT / "tests" / "cli" / "log.txt").read_text(encoding="utf-8")


def test_one_model_is_shown_with_all_it_goes_back_to(registry: Registry, run: Run):
    _ = add_family(registry)
    _, out, _ = run("log", "code")
    assert [line.split()[-1] for line in out.splitlines()] == ["recorded", "recorded"]
    assert "prose " not in "".join(line.split("prose 9")[0] for line in out.splitlines())


def test_depth_limits_how_far_back_the_tree_goes(registry: Registry, run: Run):
    _ = add_family(registry)
    _, out, _ = run("log", "q4", "--depth", "1")
    assert [line.split()[0 if i == 0 else 1] for i, line in enumerate(out.splitlines())] == ["both", "q4"]


def test_the_tree_goes_down_on_request(registry: Registry, run: Run):
    hashes = add_family(registry)

    def shown(*words: str) -> list[str]:
        return [node["label"] for node in json.loads(run("log", *words, "--json")[1])["models"]]

    assert shown("code", "--down", "--depth", "0") == ["code"]
    everything = {"code"} | {registry.label(model) for model in ancestry.descendants(registry, hashes["code"])}
    assert set(shown("code", "--down")) == everything
    children = [registry.label(model) for model in ancestry.children(registry, hashes["code"])]
    assert set(shown("code", "--down", "--depth", "1")) == {"code", *children}
    assert run("log", "code", "--down")[1].splitlines()[0].startswith("code ")


def test_more_than_a_screen_below_is_refused_with_what_narrows_it(registry: Registry, run: Run):
    _ = registry.record_all(step(digest(str(i)), digest("root")) for i in range(2001))
    registry.set_name(Name("great", "root", digest("root")))
    code, out, err = run("log", "root", "--down")
    assert (code, out) == (2, "")
    assert err == "lineal: 2,002 models to show: --depth narrows, lineal descendants lists\n"


def test_a_family_is_shown_alone_and_an_unknown_one_is_refused(registry: Registry, run: Run):
    _ = add_family(registry)
    _ = add_family(registry, [Member("lonely", "original", "hub")], "other")
    assert run("log", "--family", "other")[1].split()[0] == "lonely"
    assert run("log", "--family", "nobody") == (
        2, "", "lineal: no model belongs to a family 'nobody' (families: demo, other)\n",
    )  # fmt: skip


def test_the_first_step_is_shown_and_all_of_them_on_request(registry: Registry, run: Run):
    hashes = add_family(registry, EXAMPLE[:3])
    _ = registry.record(step(hashes["code"], hashes["prose"], method="again", evidence=Evidence.CLAIMED))
    _ = registry.record(step(hashes["base"], hashes["code"], method="back"))
    assert "again" not in run("log")[1]
    out = run("log", "--all")[1]
    assert "also again (claimed)" in out
    assert "also back (recorded)" in out
    assert "\u2192 code (again, as parent; see under base)" in out


def test_models_without_names_and_unresolved_ones_are_shown_too(registry: Registry, run: Run):
    _ = registry.record(step(digest("child"), digest("ghost"), evidence=Evidence.CLAIMED))
    _, out, _ = run("log")
    assert f"b3:{digest('ghost').hex()[:8]}" in out
    assert "unresolved" in out
    assert "claimed" in out


def test_json_holds_every_model_and_edge(registry: Registry, run: Run):
    hashes = add_family(registry)
    shown = json.loads(run("log", "--json")[1])
    assert {model["label"]: model["model"] for model in shown["models"]} == {
        name: f"b3:{model_hash.hex()}" for name, model_hash in hashes.items()
    }
    both = next(model for model in shown["models"] if model["label"] == "both")
    assert (both["kind"], both["made_by"], both["evidence"]) == ("merge", "ties density 0.2", "recorded")
    assert {e["text"]: e["perplexity"] for e in both["evaluations"]} == {"code": 32.6, "prose": 84.5}
    edge = {"parent": f"b3:{hashes['base'].hex()}", "child": both["model"], "role": "base"}
    assert {**edge, "made_by": "ties density 0.2", "evidence": "recorded"} in shown["edges"]


def test_the_picture_is_written_beside_the_tree(registry: Registry, run: Run, tmp_path: Path):
    _ = add_family(registry)
    code, out, _ = run("log", "--svg", str(tmp_path / "family.svg"))
    assert code == 0
    assert out.startswith("base ")
    assert ET.parse(tmp_path / "family.svg").getroot().tag.endswith("svg")
    assert run("log", "--svg", str(tmp_path / "no" / "folder.svg"))[0] == 3


def test_a_model_that_is_unknown_is_one_line_with_the_nearest_name(registry: Registry, run: Run):
    _ = add_family(registry)
    assert run("log", "boht") == (2, "", "lineal: no model is called 'boht' (did you mean demo:both?)\n")


def test_where_there_is_no_registry_none_is_made(tmp_path: Path, run: Run):
    place = tmp_path / "none.db"
    code, out, err = run("log", "--registry", str(place))
    assert (code, out) == (3, "")
    assert err == f"lineal: no registry at {place}: lineal run or lineal add begins one, --registry names another\n"
    assert not place.exists()


def test_an_empty_registry_shows_nothing(registry: Registry, run: Run):
    assert run("log") == (0, "", "")
    assert json.loads(run("log", "--json")[1]) == {"models": [], "edges": []}


def test_a_deep_chain_is_continued_in_trees_of_their_own(registry: Registry, run: Run):
    _ = registry.record_all(step(digest(f"c{i + 1}"), digest(f"c{i}")) for i in range(300))
    for i in range(301):
        registry.set_name(Name("deep", f"c{i}", digest(f"c{i}")))
    _, out, _ = run("log")
    lines = out.splitlines()
    assert sum("continued below" in line for line in lines) == 300 // 24
    assert max(map(len, lines)) < 200
    assert sorted(line.split("c", 1)[1].split()[0] for line in lines if "\u2192" not in line) == sorted(
        map(str, range(301))
    )


def test_a_registry_too_large_to_draw_asks_for_names(registry: Registry, run: Run):
    _ = registry.record_all(step(digest(f"leaf {i}"), digest("root"), i=i) for i in range(2001))
    assert run("log") == (
        2, "", "lineal: the registry holds 2,001 lines of descent: name models, or a family with --family\n",
    )  # fmt: skip


@pytest.mark.parametrize("verb", ["log", "show"])
def test_the_lineage_verbs_import_nothing_that_computes(place: str, registry: Registry, verb: str):
    _ = add_family(registry)
    program = f"""
import sys
from lineal.cli.entry import main
main(["{verb}", "both", "--registry", {place!r}])
print([name for name in ("numpy", "numba", "torch", "transformers") if name in sys.modules], file=sys.stderr)
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert ran.stderr == "[]\n"
    assert "ties" in ran.stdout


@pytest.mark.parametrize("verb", ["log", "show"])
def test_help_has_examples(verb: str, run: Run):
    code, out, _ = run(verb, "--help")
    assert code == 0
    assert f"lineal {verb}" in out.split("Examples:")[1]
