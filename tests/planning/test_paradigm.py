"""Paradigms: every figure and name of the table."""

import json

import pytest

from lineal.errors import UsageError
from lineal.planning.finetune_method import FineTuneMethod
from lineal.planning.paradigm import ModelParadigm

P, F = ModelParadigm, FineTuneMethod

TABLE = [
    (P.TraditionalMl(), "Traditional ML", 1.5, 10.0, 0.70, 10.0),
    (P.DeepLearning(), "Deep Learning", 4.0, 1.0, 1.00, 1.0),
    (P.Distillation(), "Knowledge Distillation", 5.0, 1.5, 0.85, 0.5),
    (P.MoE(), "Mixture of Experts", 2.0, 0.8, 1.05, 1.2),
    (P.Ensemble(), "Ensemble", 3.0, 0.5, 1.02, 0.3),
    (P.FineTuning(F.Full()), "Fine-tuning (Full)", 4.0, 2.0, 1.00, 1.0),
    (P.lora(8, 16), "Fine-tuning (LoRA(r=8, α=16))", 1.2, 5 / 1.125, 0.95 + 8 / 256, 2.0),
    (P.lora(64, 12.5), "Fine-tuning (LoRA(r=64, α=12.5))", 1.2, 2.5, 1.0, 2.0),
    (P.qlora(8, 4), "Fine-tuning (QLoRA(r=8, 4-bit))", 1.1, 6.0, 0.93, 4.0),
    (P.FineTuning(F.Adapter()), "Fine-tuning (Adapter)", 1.5, 4.0, 0.92, 1.5),
    (P.FineTuning(F.Prefix()), "Fine-tuning (Prefix)", 1.3, 5.0, 0.88, 1.8),
    (P.FineTuning(F.IA3()), "Fine-tuning (IA³)", 1.1, 8.0, 0.90, 3.0),
]


@pytest.mark.parametrize(("paradigm", "name", "memory", "speedup", "quality", "batch"), TABLE)
def test_a_paradigm_has_the_figures_of_the_table(
    paradigm: ModelParadigm, name: str, memory: float, speedup: float, quality: float, batch: float
) -> None:
    assert str(paradigm) == name
    assert paradigm.typical_memory_multiplier == memory
    assert paradigm.typical_training_speedup == pytest.approx(speedup)
    assert paradigm.typical_quality_retention == pytest.approx(quality)
    assert paradigm.batch_size_multiplier == batch


@pytest.mark.parametrize("paradigm", [row[0] for row in TABLE])
def test_a_paradigm_goes_to_json_and_back(paradigm: ModelParadigm) -> None:
    again = ModelParadigm.from_json(json.loads(json.dumps(paradigm.to_json())))
    assert again == paradigm
    assert hash(again) == hash(paradigm)


def test_paradigms_are_equal_by_value_only_within_their_kind() -> None:
    assert P.lora(8, 16) == P.lora(8, 16.0)
    assert P.lora(8, 16) != P.lora(8, 17)
    assert P.MoE() != P.Ensemble()
    assert P.default() == P.DeepLearning()


def test_fine_tuning_and_distillation_need_something_pretrained() -> None:
    assert {str(row[0]) for row in TABLE if not row[0].requires_pretrained} == {
        "Traditional ML",
        "Deep Learning",
        "Mixture of Experts",
        "Ensemble",
    }


def test_what_trains_a_few_parameters_is_parameter_efficient() -> None:
    efficient = {
        str(row[0].method) for row in TABLE if isinstance(row[0], P.FineTuning) and row[0].is_parameter_efficient
    }
    assert efficient == {"LoRA(r=8, α=16)", "LoRA(r=64, α=12.5)", "QLoRA(r=8, 4-bit)", "Adapter", "Prefix", "IA³"}
    assert not P.FineTuning(F.Full()).is_parameter_efficient
    assert not P.Distillation().is_parameter_efficient


@pytest.mark.parametrize(
    ("method", "percent"),
    [
        (F.Full(), 100),
        (F.LoRA(4, 8.0), 0.05),
        (F.lora(8), 0.1),
        (F.lora(64), 0.2),
        (F.qlora(16), 0.2),
        (F.Adapter(), 5),
        (F.Prefix(), 1),
        (F.IA3(), 0.01),
    ],
)
def test_the_trainable_share_is_a_rule_of_thumb_in_percent(method: FineTuneMethod, percent: float) -> None:
    assert method.trainable_percent == pytest.approx(percent)


def test_the_short_forms_set_alpha_to_the_rank_and_bits_to_four() -> None:
    assert F.lora(16) == F.LoRA(16, 16.0)
    assert F.qlora(16) == F.QLoRA(16, 4)


@pytest.mark.parametrize(
    "make", [lambda: F.lora(0), lambda: F.LoRA(8, 0), lambda: F.LoRA(8, float("nan")), lambda: F.QLoRA(8, 0)]
)
def test_what_no_fine_tune_can_be_is_refused(make) -> None:
    with pytest.raises(UsageError):
        make()


@pytest.mark.parametrize(
    "record",
    [None, {}, {"paradigm": "magic"}, {"paradigm": "moe", "experts": 8}, {"paradigm": "fine-tuning"}, {"paradigm": []}],
)
def test_what_is_no_paradigm_is_refused(record: object) -> None:
    with pytest.raises(UsageError, match="not a paradigm"):
        ModelParadigm.from_json(record)
