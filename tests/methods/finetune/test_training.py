"""The options that every training shares."""

import math

import pytest

from lineal.errors import MethodError
from lineal.methods.catalogue import methods
from lineal.methods.finetune.full import FullFineTune
from lineal.methods.finetune.lora import Lora
from lineal.methods.finetune.scratch import Scratch
from lineal.methods.finetune.training import Training
from lineal.methods.method import Reproducibility

CONFIG = {"model_type": "llama", "hidden_size": 64}


@pytest.mark.parametrize(
    ("written", "tokens"), [("2M", 2_000_000), ("500k", 500_000), ("1.5M", 1_500_000), ("64", 64), (7, 7)]
)
def test_a_budget_in_tokens_may_be_written_with_a_multiple(written, tokens):
    assert FullFineTune.from_options({"tokens": written}).options()["tokens"] == tokens


@pytest.mark.parametrize("written", ["2Q", "M", "-5", "1e6", "", "0"])
def test_what_is_no_count_of_tokens_is_refused(written):
    with pytest.raises(MethodError, match="tokens"):
        FullFineTune.from_options({"tokens": written})


@pytest.mark.parametrize(
    "options",
    [
        {"epochs": 0},
        {"tokens": 0},
        {"learning_rate": 0.0},
        {"learning_rate": math.nan},
        {"learning_rate": math.inf},
        {"batch_size": 0},
        {"gradient_accumulation": 0},
        {"sequence_length": 1},
        {"warmup_share": 1.0},
        {"weight_decay": -0.1},
        {"max_grad_norm": 0.0},
        {"schedule": "stairs"},
        {"optimizer": "sgd"},
        {"precision": "float16"},
        {"seed": -1},
    ],
)
def test_an_option_out_of_its_range_is_refused_by_name(options):
    with pytest.raises(MethodError, match=next(iter(options))):
        FullFineTune(**options)


def test_every_option_stands_in_the_record_and_leads_back_to_the_method():
    method = Lora(rank=4, target_modules=("q_proj",), tokens=1000, seed=2**60)
    recorded = method.options()
    assert recorded["seed"] == str(2**60)
    assert Lora.from_options(recorded) == method


def test_trainings_are_statistical_and_say_what_kind_they_are():
    trainings = {key: method for key, method in methods().items() if issubclass(method, Training)}
    assert list(trainings) == [
        ("distillation", "distill"),
        ("fine-tune", "full"),
        ("fine-tune", "lora"),
        ("original", "train"),
    ]
    assert {method.reproducibility for method in trainings.values()} == {Reproducibility.STATISTICAL}


def test_an_original_needs_a_model_type():
    with pytest.raises(MethodError, match="model_type"):
        Scratch(config={"hidden_size": 64})


@pytest.mark.parametrize("tokenizer", [{}, {"train": {}}, {"train": {"vocab_size": 500}, "path": {}}, {"hub": {}}])
def test_an_original_trains_its_tokenizer_and_nothing_else(tokenizer):
    with pytest.raises(MethodError, match="tokenizer must be"):
        Scratch(config=CONFIG, tokenizer=tokenizer)


def test_a_vocabulary_holds_at_least_the_bytes_and_the_end_of_a_document():
    assert Scratch(config=CONFIG, tokenizer={"train": {"vocab_size": 257}}).vocabulary_size == 257
    with pytest.raises(MethodError, match="at least 257"):
        Scratch(config=CONFIG, tokenizer={"train": {"vocab_size": 256}})
