"""Parents in several layouts: the child is that of parents in one, to the byte, whichever method makes it."""

import re
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file
from transformers.utils import logging

from lineal.checkpoint.layouts.views import seen
from lineal.checkpoint.reader import open_checkpoint
from tests.cli.conftest import Command, lineal, registry, run
from tests.llamas import make_llama
from tests.walk.tiny import tiny_model

__all__ = ("lineal", "registry", "run")


@pytest.fixture
def mixtures(lineal: Command) -> Command:
    logging.disable_progress_bar()
    for model_type in ("qwen3_moe", "mixtral", "granitemoe"):
        for seed, name in enumerate("ab"):
            model = tiny_model(model_type, seed).bfloat16()
            model.save_pretrained(f"{model_type}-{name}")
            model.save_pretrained(f"{model_type}-{name}-other", save_original_format=False)
    return lineal


def contents(folder: str) -> dict[str, bytes]:
    """The bytes of each tensor in the published layout."""
    checkpoint = open_checkpoint(Path(folder))
    found = seen(dict(checkpoint.items()), checkpoint.config, folder)
    assert found is not None
    raw = weights(folder)
    return {name: raw[v.spec.offset : v.spec.offset + v.spec.byte_length] for name, v in found.views.items()}


def weights(folder: str) -> bytes:
    return (Path(folder) / "model.safetensors").read_bytes()


@pytest.mark.parametrize("model_type", ["qwen3_moe", "mixtral", "granitemoe"])
@pytest.mark.parametrize("method", ["linear", "slerp"])
def test_a_child_of_mixed_layouts_is_that_of_one(mixtures: Command, model_type: str, method: str) -> None:
    a, b = f"./{model_type}-a", f"./{model_type}-b"
    assert mixtures("merge", a, b, "--method", method, "--out", "one").code == 0
    mixed = mixtures("merge", a, f"{b}-other", "--method", method, "--out", "mixed")
    assert mixed.code == 0
    assert f"{model_type}-b-other is stored in another layout, and is read as it is published" in mixed.err
    assert weights("one") == weights("mixed")
    assert "recomputed, equal" in mixtures("verify", "mixed").out


def test_task_vectors_are_taken_across_layouts(mixtures: Command) -> None:
    given = ("./qwen3_moe-b", "--base", "./qwen3_moe-a", "--method", "task_arithmetic")
    assert mixtures("merge", *given, "--out", "one").code == 0
    other = ("./qwen3_moe-b-other", "--base", "./qwen3_moe-a", "--method", "task_arithmetic")
    assert mixtures("merge", *other, "--out", "mixed").code == 0
    assert weights("one") == weights("mixed")


def test_models_in_the_other_layout_alone_stay_in_it(mixtures: Command) -> None:
    words = ("merge", "./mixtral-a-other", "./mixtral-b-other", "--method", "linear", "--out", "child")
    assert mixtures(*words).code == 0
    assert set(open_checkpoint(Path("child"))) == set(open_checkpoint(Path("mixtral-a-other")))


def test_a_folder_that_holds_both_layouts_is_refused_whatever_the_others_are(mixtures: Command) -> None:
    apart, stacked = (dict(load_file(f"qwen3_moe-a{end}/model.safetensors")) for end in ("", "-other"))
    for both in ("qwen3_moe-a", "qwen3_moe-a-other"):
        save_file({**apart, **stacked}, f"{both}/model.safetensors", {"format": "pt"})
        for others in ("./qwen3_moe-b", "./qwen3_moe-b-other"):
            answer = mixtures("merge", f"./{both}", others, "--method", "linear", "--out", "child")
            assert answer.code == 3
            assert f"lineal: {both}: holds 'model.layers." in answer.err
            assert "twice, in two layouts: 'model.layers." in answer.err
            assert answer.err.count("\n") == 1


def test_another_architecture_is_told_before_a_layout(mixtures: Command) -> None:
    make_llama(Path("llama"))
    answer = mixtures("merge", "./mixtral-a-other", "./llama", "--method", "linear", "--out", "child")
    assert answer.code == 3
    assert "mixtral" in answer.err
    assert "layout" not in answer.err


@pytest.mark.parametrize("model_type", ["qwen3_moe", "mixtral", "granitemoe"])
@pytest.mark.parametrize("method", ["linear", "slerp", "ties"])
def test_the_first_model_says_the_layout_and_no_layout_says_the_result(
    mixtures: Command, model_type: str, method: str
) -> None:
    a, b = f"./{model_type}-a", f"./{model_type}-b"
    given = (
        ("--base", a) if method == "ties" else (a,),
        ("--base", f"{a}-other") if method == "ties" else (f"{a}-other",),
    )
    for out, words in (("both", (*given[1], f"{b}-other")), ("mixed", (*given[1], b)), ("published", (*given[0], b))):
        assert mixtures("merge", *words, "--method", method, "--out", out).code == 0
    assert weights("both") == weights("mixed")
    assert set(open_checkpoint(Path("mixed"))) == set(open_checkpoint(Path(f"{model_type}-a-other")))
    assert contents("mixed") == contents("published")
    assert "recomputed, equal" in mixtures("verify", "mixed").out


@pytest.mark.parametrize("model_type", ["qwen3_moe", "mixtral"])
@pytest.mark.parametrize("scope", ["tensor", "row"])
def test_experts_are_pruned_alike_in_every_layout(mixtures: Command, model_type: str, scope: str) -> None:
    for end in ("", "-other"):
        words = (f"./{model_type}-a{end}", "--method", "magnitude", "--sparsity", "0.5", "--scope", scope)
        answer = mixtures("prune", *words, "--out", f"pruned{end}")
        assert answer.code == 0, answer.err
        assert set(open_checkpoint(Path(f"pruned{end}"))) == set(open_checkpoint(Path(f"{model_type}-a{end}")))
        assert "recomputed, equal" in mixtures("verify", f"pruned{end}").out
    before, pruned = contents(f"{model_type}-a"), contents("pruned")
    assert pruned == contents("pruned-other")
    changed = {name for name, raw in pruned.items() if raw != before[name]}
    assert changed == {name for name in before if re.search(r"\.experts\.|_proj\.weight", name)}
