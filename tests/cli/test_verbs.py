"""The verbs, as their users meet them: results on stdout, one-line errors on stderr, exit codes."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Answer, Command

FAMILY = """
family: small
models:
  a: {original: {path: ./a}}
  b: {original: {path: ./b}}
  mean: {merge: {parents: [a, b], method: linear}}
"""


def error_of(answer: Answer) -> str:
    """The one line that an error is."""
    assert answer.out == ""
    (line,) = answer.err.splitlines()
    assert line.startswith("lineal: ")
    return line.removeprefix("lineal: ")


def test_a_merge_says_where_it_put_what(lineal: Command) -> None:
    answer = lineal("merge", "./a", "./b", "--method", "linear", "--weights", "1,3", "--out", "mean")
    assert answer.code == 0
    assert answer.out.startswith(f"{Path('mean').resolve()}  b3:")


def test_a_merge_that_exists_is_not_made_again(lineal: Command) -> None:
    words = ("merge", "./a", "./b", "--method", "slerp", "--t", "0.25", "--out", "mean")
    first = lineal(*words)
    inode = Path("mean/model.safetensors").stat().st_ino
    second = lineal(*words)
    assert (second.out, Path("mean/model.safetensors").stat().st_ino) == (first.out, inode)
    assert "up to date" in second.err


def test_models_are_found_by_name_path_and_hash(lineal: Command) -> None:
    known = json.loads(lineal("add", "a", "--name", "mine:a", "--json").out)[0]["model_hash"]
    answers = [
        lineal("merge", reference, "./b", "--method", "linear", "--out", f"m{i}").out.split()[1]
        for i, reference in enumerate(("a", "mine:a", "./a", known, known[:12]))
    ]
    assert len(set(answers)) == 1


def test_a_model_given_by_path_leaves_no_path_in_its_child(lineal: Command) -> None:
    lineal("merge", str(Path("a").resolve()), "./b", "--method", "linear", "--out", "mean")
    record = json.loads(Path("mean/lineal.json").read_text())
    assert [i["name"] for i in record["inputs"]] == ["a", "b"]
    for path in Path("mean").iterdir():
        assert str(Path.cwd()).encode() not in path.read_bytes(), path


def test_an_output_may_not_be_one_of_its_inputs(lineal: Command) -> None:
    lineal("merge", "./a", "./b", "--method", "linear", "--out", "mean")
    before = Path("mean/model.safetensors").read_bytes()
    answer = lineal("merge", "./mean", "./c", "--method", "linear", "--out", "mean")
    assert answer.code == 2
    assert "would be written to" in error_of(answer)
    assert Path("mean/model.safetensors").read_bytes() == before


def test_lineal_alone_shows_what_there_is(lineal: Command) -> None:
    assert lineal().out == lineal("--help").out


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (
            ("merge", "./a", "./b", "--method", "tise", "--out", "m"),
            2,
            "unknown merge method 'tise' (did you mean ties?)",
        ),
        (
            ("merge", "./a", "./b", "--method", "linear", "--wieghts", "1,2", "--out", "m"),
            2,
            "no such option --wieghts (did you mean --weights?)",
        ),
        (
            ("merge", "./a", "./b", "--base", "./c", "--method", "ties", "--density", "2", "--out", "m"),
            2,
            "ties: density must be in (0, 1], got 2.0",
        ),
        (
            ("merge", "./a", "./b", "--method", "linear", "--weights", "1,two", "--out", "m"),
            2,
            "linear: weights.1 must be a finite number, got 'two'",
        ),
        (("merge", "./a", "./nowhere", "--method", "linear", "--out", "m"), 3, "nowhere: no such folder"),
        (
            ("merge", "./a", "nobody", "--method", "linear", "--out", "m"),
            2,
            "no model is called 'nobody' (no model has a name yet)",
        ),
        (("merge", "./a", "./b", "--method", "ties", "--out", "m"), 2, "ties: a base is needed"),
        (
            ("merge", "./a", "./b", "./c", "--method", "slerp", "--out", "m"),
            2,
            "slerp: exactly two models are needed, got 3",
        ),
        (
            ("merge", "./a", "./b", "--base", "./c", "--method", "linear", "--out", "m"),
            2,
            "linear: takes no base",
        ),
        (("merge", "--method", "linear", "--out", "m", "--weights", "1"), 2, "name the models first"),
        (("merge", "./a", "./b", "--method", "greedy_soup", "--out", "m"), 2, "greedy_soup: data is needed"),
        (
            ("merge", "./a", "./b", "--method", "ties", "--data", "a/config.json", "--out", "m"),
            2,
            "ties: takes no data",
        ),
        (("merge", "./a", "./b", "--method", "greedy_soup", "--data", "v.txt", "--out", "m"), 2, "no data file v.txt"),
        (("merge", "./a", "./b", "--out", "m"), 2, "--method and --out are needed"),
        (("merge", "recipe.yml"), 2, "a recipe says everything but where to"),
        (("merge", "recipe.yml", "m", "--method", "ties"), 2, "a recipe says everything but where to"),
        (("merge", "recipe.yml", "m"), 2, "recipe.yml: no such file"),
        (("finetune", "./a", "--data", "none.jsonl", "--out", "m"), 2, "no data file none.jsonl"),
        (("run",), 2, "family.yaml: no such file"),
        (("verify",), 2, "name models to verify, or --family"),
        (("add", "nowhere"), 3, "nowhere: no such folder"),
        (("frobnicate",), 2, "No such command 'frobnicate'"),
        (("methods", "tise"), 2, "unknown method 'tise' (did you mean ties?)"),
    ],
)
def test_a_mistake_is_one_line_with_its_exit_code(
    lineal: Command, words: tuple[str, ...], code: int, message: str
) -> None:
    answer = lineal(*words)
    assert answer.code == code
    assert message in error_of(answer)
    assert not Path("m").exists()


def test_a_traceback_is_shown_only_with_debug(lineal: Command) -> None:
    answer = lineal("add", "nowhere", "--debug")
    assert answer.code == 3
    assert "Traceback" in answer.err


def test_a_family_runs_and_says_so_in_json(lineal: Command) -> None:
    Path("family.yaml").write_text(FAMILY)
    plan = json.loads(lineal("run", "--dry-run", "--json").out)
    assert [(p["name"], p["status"]) for p in plan] == [("a", "present"), ("b", "present"), ("mean", "to build")]
    built = json.loads(lineal("run", "--json").out)
    assert list(built) == ["a", "b", "mean"]
    verdicts = json.loads(lineal("verify", "--family", "small", "--json").out)
    assert {v["label"]: v["tensors_recomputed"] for v in verdicts} == {"a": 0, "b": 0, "mean": 2}


def test_every_fault_of_a_family_file_is_one_line(lineal: Command) -> None:
    Path("family.yaml").write_text(FAMILY.replace("linear", "linaer").replace("./a", "./nowhere"))
    answer = lineal("run")
    assert answer.code == 2
    assert "family.yaml:6: mean: unknown merge method 'linaer' (did you mean linear?)" in answer.err


def test_verification_that_fails_exits_with_1(lineal: Command) -> None:
    Path("family.yaml").write_text(FAMILY)
    lineal("run")
    weights = Path("models/mean/model.safetensors")
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    answer = lineal("verify", "mean")
    assert answer.code == 1
    assert "mean: DOES NOT AGREE" in answer.out
    assert answer.err == "lineal: 1 of 1 models do not agree with the record\n"


def test_a_model_that_is_asked_for_twice_is_verified_once(lineal: Command) -> None:
    Path("family.yaml").write_text(FAMILY)
    lineal("run")
    told = lineal("verify", "--family", "small", "mean", "./models/mean").out.splitlines()
    assert [line.partition(":")[0] for line in told] == ["mean", "a", "b"]


def test_add_brings_a_history_along(lineal: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("family.yaml").write_text(FAMILY)
    lineal("run")
    monkeypatch.setenv("LINEAL_REGISTRY", "other/registry.db")
    assert "merge (linear) of small:a, small:b" in lineal("add", "models/mean").out
    assert "unresolved" in lineal("log", "mean").out
    lineal("add", "a", "b")
    assert "unresolved" not in lineal("log", "mean").out


def test_pickles_are_refused(lineal: Command) -> None:
    Path("pickled").mkdir()
    Path("pickled/pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'touch owned'\ntR.")
    answer = lineal("add", "pickled")
    assert answer.code == 3
    assert "unpickling runs code" in error_of(answer)
    assert not Path("owned").exists()


def test_every_verb_has_help_with_examples(lineal: Command) -> None:
    verbs = ("run", "merge", "finetune", "eval", "generate", "add", "log", "show", "verify", "methods")
    for verb in verbs:
        told = lineal(verb, "--help").out
        assert f"lineal {verb}" in told
        assert "Examples:" in told
    assert all(verb in lineal("--help").out for verb in verbs)


def test_a_dry_run_says_what_a_merge_would_take_and_writes_nothing(lineal: Command) -> None:
    Path("recipe.yml").write_text(
        "merge_method: linear\nmodels: [{model: ./a}, {model: ./b}]\nparameters: {weight: [1, 2]}\n"
    )
    for words in (("recipe.yml", "m"), ("./a", "./b", "--method", "linear", "--out", "m")):
        answer = lineal("merge", *words, "--dry-run")
        assert answer.code == 0
        assert "1 to build" in answer.out
        assert "m: reads" in answer.out
        assert not Path("m").exists()
    assert lineal("log").out == ""


def test_a_dry_run_tells_what_stands_against_a_merge(lineal: Command) -> None:
    answer = lineal("merge", "./a", "./b", "--method", "ties", "--out", "m", "--dry-run")
    assert answer.code == 2
    assert "ties: a base is needed" in error_of(answer)
