"""Tokenizers and chat templates of recipes: rows are those that mergekit 0.1.5 was seen to make of the same models."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer
from transformers.utils.chat_template_utils import render_jinja_template

from lineal.errors import CheckpointError
from lineal.family.build.one_off import derive, family_of_recipe
from lineal.family.file.mergekit.chat_templates import chat_template
from lineal.family.session import Session
from lineal.family.trust.verify import verify_references
from tests.builders import make_checkpoint, read_folder, write_json
from tests.family.mergekit.test_documents import faults, method
from tests.llamas import BYTE_LEVEL, added

EMBEDDING, HEAD = "model.embed_tokens.weight", "lm_head.weight"
PIECES = ["a", "b", "c", "d", "ab", "cd"]
OTHERS = ["b", "a", "c", "d", "cd", "ab", "ac"]


def make(folder: Path, number: float, pieces: Sequence[str], more: Sequence[tuple[str, bool]], rows: int = 0) -> None:
    """Row i of the embedding is number + i, of the head 500 more; more: added tokens, and whether they are special."""
    count = rows or len(pieces) + len(more)
    ramp = number + np.repeat(np.arange(count, dtype=np.float32)[:, None], 4, axis=1)
    norms = {name: np.full(4, number, np.float32) for name in ("model.norm.weight", "model.layers.0.norm.weight")}
    config = {"model_type": "llama", "num_hidden_layers": 1, "vocab_size": count, "tie_word_embeddings": False}
    make_checkpoint(folder, {EMBEDDING: ramp, HEAD: ramp + 500, **norms}, {**config, "eos_token_id": len(pieces)})
    merges = [["a", "b"], ["c", "d"], ["a", "c"]]
    model = {
        "vocab": {piece: i for i, piece in enumerate(pieces)},
        "merges": [m for m in merges if "".join(m) in pieces],
    }
    tokens = [added(len(pieces) + i, token, special=special) for i, (token, special) in enumerate(more)]
    parts = {"normalizer": None, "post_processor": None, "pre_tokenizer": BYTE_LEVEL, "decoder": BYTE_LEVEL}
    tokenizer = {"version": "1.0", "added_tokens": tokens, "model": {"type": "BPE", **model}, **parts}
    write_json(folder / "tokenizer.json", tokenizer)
    template = {"chat_template": "of A" if folder.name == "A" else "of all others"}
    write_json(folder / "tokenizer_config.json", {"eos_token": "<eos>", **template})


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    make(tmp_path / "A", 100, PIECES, [("<eos>", True)], rows=12)
    make(tmp_path / "B", 200, PIECES, [("<eos>", True), ("<x>", True)], rows=16)
    make(tmp_path / "C", 300, OTHERS, [("<eos>", True), ("<y>", False)])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(session: Session, at: Path, text: str) -> dict[str, Any]:
    (at / "recipe.yml").write_text(text)
    family = family_of_recipe(session, at / "recipe.yml", at / "out", allow_nonfinite=False)
    return read_folder(derive(session, family, at / "out").folder)


def linear(more: str, models: str = "AB", base: str | None = "A") -> str:
    listed = ", ".join(f"{{model: {name}, parameters: {{weight: 1}}}}" for name in models)
    based = f"base_model: {base}\n" if base else ""
    return f"merge_method: linear\nmodels: [{listed}]\n{based}{more}"


SHARED = [150, 151, 152, 153, 154, 155, 156]
THREE = [200 + 1 / 3, 200 + 2 / 3, 202, 203, 204 + 1 / 3, 204 + 2 / 3, 206 + 1 / 3, 207, 306, 308]
OBSERVED = {
    "the union": (linear("tokenizer_source: union"), [*SHARED, 207]),
    "the base's": (linear("tokenizer_source: base"), SHARED),
    "of three models": (linear("tokenizer_source: union", "ABC", "B"), THREE),
    "the newer key": (linear("tokenizer: {source: union}", "ABC", "B"), THREE),
    "another model's": (
        linear("tokenizer_source: C", "ABC", None),
        [200 + 2 / 3, 200 + 1 / 3, 202, 203, 204 + 2 / 3, 204 + 1 / 3, 306, 206 + 1 / 3, 308],
    ),
    "rows filled up": (linear("tokenizer: {source: base, pad_to_multiple_of: 8}"), [*SHARED, 153]),
    "a row by rule where it is there": (
        linear("tokenizer: {source: base, tokens: {<eos>: {source: B}}}"),
        SHARED,
    ),
    "a row by force": (
        linear("tokenizer: {source: base, tokens: {<eos>: {source: B, force: true}}}"),
        [*SHARED[:6], 206],
    ),
    "a piece by force": (
        linear("tokenizer: {source: union, tokens: {ab: {source: B, force: true}}}"),
        [150, 151, 152, 153, 204, 155, 156, 207],
    ),
    "zeros for those that lack it": (
        linear("tokenizer: {source: union, tokens: {<x>: {source: {kind: zero}}}}"),
        [*SHARED, 103.5],
    ),
    "zeros for all": (
        linear("tokenizer: {source: union, tokens: {<x>: {source: {kind: zero}, force: true}}}"),
        [*SHARED, 0],
    ),
    "a new token like another": (
        linear("tokenizer: {source: union, tokens: {<n>: {source: {kind: model_token, model: B, token: <x>}}}}"),
        [*SHARED, 207, 207],
    ),
    "a new token from a row": (
        linear("tokenizer: {source: union, tokens: {<n>: {source: {kind: model_token, model: B, token_id: 14}}}}"),
        [*SHARED, 207, 214],
    ),
    "a tokenizer of a model that is not merged": (
        linear("tokenizer_source: C"),
        [151, 150, 152, 153, 155, 154, 306, 156, 308],
    ),
}


@pytest.mark.parametrize("name", list(OBSERVED))
def test_rows_are_those_that_mergekit_makes(session: Session, at: Path, name: str) -> None:
    text, rows = OBSERVED[name]
    merged = run(session, at, text)
    np.testing.assert_allclose(merged[EMBEDDING], np.repeat(np.array(rows)[:, None], 4, axis=1), rtol=1e-6)
    assert merged[HEAD].shape == merged[EMBEDDING].shape
    assert json.loads((at / "out" / "config.json").read_text())["vocab_size"] == len(rows)
    (verdict,) = verify_references(session, [str(at / "out")])
    assert (verdict.ok, verdict.recomputed) == (True, len(merged))


def test_the_tokenizers_library_gives_texts_the_ids_of_the_union(session: Session, at: Path) -> None:
    run(session, at, linear("tokenizer_source: union", "ABC", "B"))
    child, b = (Tokenizer.from_file(str(at / name / "tokenizer.json")) for name in ("out", "B"))
    assert child.get_vocab() == {**b.get_vocab(), "ac": 8, "<y>": 9}
    assert child.encode("abcd<x>").ids == b.encode("abcd<x>").ids == [4, 5, 7]
    assert child.encode("<y>ab").ids == [9, 4]
    config = json.loads((at / "out" / "config.json").read_text())
    assert config["eos_token_id"] == child.token_to_id("<eos>") == 6


def test_a_token_that_a_rule_adds_is_special_where_its_model_says_so(session: Session, at: Path) -> None:
    run(session, at, linear("tokenizer: {source: base, tokens: {<x>: {source: B}}}"))
    tokens = json.loads((at / "out" / "tokenizer.json").read_text())["added_tokens"]
    assert tokens[-1] == added(7, "<x>")


@pytest.mark.parametrize(
    ("chosen", "template"),
    [
        ("auto", "of all others"),
        ("'{% for m in messages %}{{ m.content }}{% endfor %}'", "{% for m in messages %}{{ m.content }}{% endfor %}"),
        ("'{% generation %}{{ messages }}{% endgeneration %}'", "{% generation %}{{ messages }}{% endgeneration %}"),
    ],
)
def test_a_chat_template_takes_the_place_of_all_there_are(
    session: Session, at: Path, chosen: str, template: str
) -> None:
    run(session, at, linear(f"tokenizer_source: union\nchat_template: {chosen}", "ABC"))
    assert (at / "out" / "chat_template.jinja").read_text() == template
    assert json.loads((at / "out" / "tokenizer_config.json").read_text()) == {"eos_token": "<eos>"}
    (verdict,) = verify_references(session, [str(at / "out")])
    assert verdict.ok


def test_a_chat_template_alone_leaves_the_tokenizer(session: Session, at: Path) -> None:
    run(session, at, linear("chat_template: chatml", "B", None))
    assert "<|im_start|>" in (at / "out" / "chat_template.jinja").read_text()
    assert (at / "out" / "tokenizer.json").read_bytes() == (at / "B" / "tokenizer.json").read_bytes()


def test_where_nobody_has_a_template_there_is_none(session: Session, at: Path) -> None:
    for name in "AB":
        write_json(at / name / "tokenizer_config.json", {})
    run(session, at, linear("tokenizer_source: union\nchat_template: auto"))
    assert not (at / "out" / "chat_template.jinja").exists()


def test_without_a_choice_different_vocabularies_stay_a_fault(session: Session, at: Path) -> None:
    with pytest.raises(CheckpointError, match="the vocabularies differ"):
        run(session, at, linear("", "AC"))


CHAT = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Hello"},
    {"role": "user", "content": "Why?"},
]


RENDERED = {
    "chatml": """<|im_start|>system
Be brief.<|im_end|>
<|im_start|>user
Hi<|im_end|>
<|im_start|>assistant
Hello<|im_end|>
<|im_start|>user
Why?<|im_end|>
<|im_start|>assistant
""",
    "llama3": """<s><|start_header_id|>system<|end_header_id|>

Be brief.<|eot_id|><|start_header_id|>user<|end_header_id|>

Hi<|eot_id|><|start_header_id|>assistant<|end_header_id|>

Hello<|eot_id|><|start_header_id|>user<|end_header_id|>

Why?<|eot_id|><|start_header_id|>assistant<|end_header_id|>

""",
    "mistral": """<s> [INST] Be brief.

Hi [/INST] Hello</s> [INST] Why? [/INST]""",
    "alpaca": """Be brief.

### Instruction:
Hi

### Response:
Hello

### Instruction:
Why?

### Response:
""",
    "exaone": """[|system|]Be brief.[|endofturn|]
[|user|]Hi
[|assistant|]Hello[|endofturn|]
[|user|]Why?
[|assistant|]""",
}


@pytest.mark.parametrize("name", list(RENDERED))
def test_the_well_known_formats(name: str) -> None:
    tokens = {"bos_token": "<s>", "eos_token": "</s>"}
    rendered, _ = render_jinja_template([CHAT], chat_template=chat_template(name), add_generation_prompt=True, **tokens)
    assert rendered == [RENDERED[name]]


def test_what_is_recorded_names_models_by_their_places(tmp_path: Path) -> None:
    text = "merge_method: linear\nmodels: [{model: a}, {model: b}]\nbase_model: c\n"
    tokens = "{<n>: {source: b, force: true}, <z>: {source: {kind: zero}}}"
    made = method(tmp_path, f"{text}tokenizer: {{source: a, tokens: {tokens}, pad_to_multiple_of: 64}}\n")
    assert made.options()["vocabulary"] == {
        "tokenizer": 1,
        "union": False,
        "base": 0,
        "tokens": {
            "<n>": {"model": 2, "token": None, "row": None, "force": True},
            "<z>": {"model": None, "token": None, "row": None, "force": False},
        },
        "multiple": 64,
    }


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("tokenizer: {source: union}\ntokenizer_source: base", "4: either tokenizer or tokenizer_source, not both"),
        ("tokenizer: {sorce: union}", "3: unknown key 'sorce' (did you mean source?)"),
        ("tokenizer: union", "3: tokenizer must be a mapping, got 'union'"),
        ("tokenizer: {tokens: [a]}", "3: tokens must be a mapping, got ['a']"),
        ("tokenizer: {tokens: {a: }}", "3: the token 'a' must be a mapping, got None"),
        ("tokenizer: {tokens: {a: {}}}", "3: a source is needed"),
        ("tokenizer: {tokens: {a: {source: b, forse: 1}}}", "3: unknown key 'forse'"),
        ("tokenizer: {tokens: {a: {source: b, force: 1}}}", "3: force is true or false, got 1"),
        ("tokenizer: {tokens: {a: {source: {kind: one}}}}", "3: unknown kind 'one' (known: zero, model_token)"),
        ("tokenizer: {tokens: {a: {source: {kind: model_token, model: b, token_id: x}}}}", "3: token_id is a whole"),
        ("tokenizer: {tokens: {a: {source: {kind: model_token, model: b, token: 1}}}}", "3: a token is a text"),
        ("tokenizer: {tokens: {a: {source: base}}}", "3: there is no base_model"),
        ("tokenizer: {pad_to_multiple_of: 0}", "3: pad_to_multiple_of is a whole number from 1, got 0"),
        ("tokenizer_source: ./nowhere", "3: no folder, no known model and no earlier stage './nowhere'"),
        ("chat_template: nonsense", "3: a chat template is Jinja, or one of auto, alpaca"),
        ("chat_template: '{% for'", "3: the chat template has a fault in its line 1"),
    ],
)
def test_a_fault_says_what_is_wrong(tmp_path: Path, text: str, fault: str) -> None:
    found = faults(tmp_path, "merge_method: linear\nmodels: [{model: a}, {model: b}]\n" + text)
    assert len(found) == 1, found
    assert found[0].startswith(fault)
