"""What a tokenizer puts around a text by itself stands there once."""

import json

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from lineal.engines.inference.evaluate import Reading
from lineal.engines.inference.generate import generate
from lineal.engines.inference.language_model import load_tokenizer
from lineal.engines.inference.text_borders import holds_borders, possible_borders
from lineal.engines.text.encoding import Encoder
from tests.engines.bordered import bordered_model, lines_of
from tests.engines.scoring import evaluate
from tests.engines.tiny_models import POSITIONS, make_documents

BOS, EOS, TURN = 0, 1, 2


@pytest.fixture(scope="module")
def with_bos(tmp_path_factory):
    return bordered_model(tmp_path_factory.mktemp("bos") / "m", bos=True)


@pytest.fixture(scope="module")
def with_both(tmp_path_factory):
    return bordered_model(tmp_path_factory.mktemp("both") / "m", bos=True, eos=True)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return bordered_model(tmp_path_factory.mktemp("plain") / "m")


def encoder_of(folder, remarks=None):
    return Encoder(load_tokenizer(folder), None if remarks is None else remarks.append)


def test_a_rendered_chat_reads_as_the_ids_that_its_template_gives(with_bos):
    tokenizer = AutoTokenizer.from_pretrained(with_bos)
    chat = [{"role": "user", "content": "a model is"}]
    rendered = tokenizer.apply_chat_template(chat, tokenize=False)
    wanted = tokenizer.apply_chat_template(chat, tokenize=True, return_dict=False)
    remarks = []
    (read,) = encoder_of(with_bos, remarks).documents([rendered])
    assert read.tolist() == wanted
    assert remarks == ["1 of 1 texts hold <bos> already; no second is added"]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a", [BOS, "a", EOS]),
        ("<bos>a", [BOS, "a", EOS]),
        ("a<eos>", [BOS, "a", EOS]),
        ("<bos>a<eos>", [BOS, "a", EOS]),
        ("<bos><bos>a", [BOS, BOS, "a", EOS]),  # as it is written
        ("a<bos>", [BOS, "a", BOS, EOS]),
        ("", [BOS, EOS]),
    ],
)
def test_only_what_the_text_holds_itself_is_not_added(with_both, text, wanted):
    letter = AutoTokenizer.from_pretrained(with_both)("a", add_special_tokens=False)["input_ids"]
    (read,) = encoder_of(with_both).documents([text])
    assert read.tolist() == [token for piece in wanted for token in (letter if piece == "a" else [piece])]


def test_what_happened_is_said_once_of_many_texts(with_both):
    remarks = []
    encoder_of(with_both, remarks).documents(["<bos>a"] * 300 + ["b"])
    assert remarks == ["300 of 301 texts hold <bos> or <eos> already; no second is added"]


def test_nothing_is_put_behind_a_prompt_but_what_it_ends_in_stays(with_both):
    tokenizer, remarks = AutoTokenizer.from_pretrained(with_both), []
    encoder = encoder_of(with_both, remarks)
    assert encoder.prompt("a model") == tokenizer("a model")["input_ids"][:-1]
    assert remarks == ["the tokenizer's <eos> behind the prompt is left out"]
    assert encoder.prompt("a model<eos>") == tokenizer("a model")["input_ids"]
    assert encoder.prompt("<bos>a model") == tokenizer("a model")["input_ids"][:-1]


def test_an_end_that_the_tokenizer_adds_does_not_change_what_is_generated(with_bos, with_both):
    said = []
    texts = ["".join(generate(folder, "a model is", 8, remark=said.append)) for folder in (with_bos, with_both)]
    assert texts[0] == texts[1]
    assert len(said) == 1


def test_any_end_that_the_generation_config_names_ends_the_text(tmp_path):
    folder = bordered_model(tmp_path / "m")
    prompt = AutoTokenizer.from_pretrained(folder)("a model is", return_tensors="pt")["input_ids"]
    model = AutoModelForCausalLM.from_pretrained(folder)
    with torch.no_grad():
        first = int(model(prompt).logits[0, -1].argmax())
    assert first not in (EOS, TURN)
    assert list(generate(folder, "a model is", 3))
    path = folder / "generation_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "eos_token_id": [EOS, first]}))
    assert list(generate(folder, "a model is", 3)) == []


def test_every_window_begins_as_a_text_does(with_bos, tmp_path):
    (tmp_path / "t.txt").write_text(" ".join(make_documents(5, 6)))
    tokenizer, model = AutoTokenizer.from_pretrained(with_bos), AutoModelForCausalLM.from_pretrained(with_bos)
    tokens, context = tokenizer((tmp_path / "t.txt").read_text())["input_ids"], 9
    assert tokens[0] == BOS
    nats = 0.0
    for at in range(1, len(tokens)):
        start = 0 if at <= context else context + (at - 1 - context) // (context - 1) * (context - 1)
        window = tokens[start:at] if start == 0 else [BOS, *tokens[start:at]]
        with torch.no_grad():
            nats -= torch.log_softmax(model(torch.tensor([window])).logits[0, -1].double(), -1)[tokens[at]].item()
    found = evaluate(with_bos, {"t": tmp_path / "t.txt"}, reading=Reading(context))["t"]
    assert found.tokens == len(tokens) - 1
    assert found.bits_per_byte == pytest.approx(nats / 0.6931471805599453 / found.bytes, rel=1e-6)


def test_a_chat_is_scored_on_the_tokens_of_its_template(with_bos, tmp_path):
    tokenizer, model = AutoTokenizer.from_pretrained(with_bos), AutoModelForCausalLM.from_pretrained(with_bos)
    chats = [[{"role": "user", "content": f"a step {number}"}] for number in range(4)]
    data = lines_of(tmp_path / "c.jsonl", [tokenizer.apply_chat_template(chat, tokenize=False) for chat in chats])
    nats = count = 0
    for chat in chats:
        ids = torch.tensor([tokenizer.apply_chat_template(chat, tokenize=True, return_dict=False)])
        with torch.no_grad():
            logs = torch.log_softmax(model(ids).logits[0, :-1].double(), -1)
        nats -= logs.gather(-1, ids[0, 1:, None]).sum().item()
        count += ids.shape[1] - 1
    found = evaluate(with_bos, {"c": data}, reading=Reading(POSITIONS))["c"]
    assert found.tokens == count
    assert found.perplexity == pytest.approx(2.718281828459045 ** (nats / count), rel=1e-5)


def test_the_files_tell_what_a_tokenizer_may_add(plain, with_bos, with_both, tmp_path):
    assert possible_borders(plain) == frozenset()
    assert possible_borders(with_bos) >= {"<bos>"}
    assert possible_borders(with_both) >= {"<bos>", "<eos>"}
    settings = json.loads((plain / "tokenizer_config.json").read_text())
    for change in ({"add_bos_token": True}, {"tokenizer_class": "LlamaTokenizer"}):
        (tmp_path / "config.json").write_text((plain / "config.json").read_text())
        for name in ("model.safetensors", "tokenizer.json"):
            (tmp_path / name).write_bytes((plain / name).read_bytes())
        (tmp_path / "tokenizer_config.json").write_text(json.dumps({**settings, **change}))
        assert "<bos>" in possible_borders(tmp_path)


def test_a_text_holds_a_border_only_at_its_ends():
    assert holds_borders(" <bos>a", {"<bos>"})
    assert holds_borders("a<eos>\n", {"<eos>", "<bos>"})
    assert not holds_borders("a <bos> b", {"<bos>"})
