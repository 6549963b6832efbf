"""Distillation losses: the reference values, gradients, extremes and refusals."""

import json
import math
from pathlib import Path

import pytest
import torch

from lineal.errors import MethodError
from lineal.methods.distill.attention import AttentionTransfer
from lineal.methods.distill.ensemble import EnsembleDistiller
from lineal.methods.distill.knowledge import KnowledgeDistillation
from lineal.methods.distill.progressive import ProgressiveDistillation

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "formulas.json").read_text())
ENSEMBLES = [case for case in VECTORS["ensemble"] if "labels" in case]


def close(found: torch.Tensor, expected: object) -> None:
    torch.testing.assert_close(found, torch.tensor(expected, dtype=found.dtype), rtol=1e-5, atol=1e-6)


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("case", VECTORS["knowledge_distillation"])
def test_knowledge_distillation_has_the_reference_values(case: dict, dtype: torch.dtype) -> None:
    student, teacher = (torch.tensor(case[key], dtype=dtype) for key in ("student", "teacher"))
    method = KnowledgeDistillation(case["temperature"], case["alpha"])
    close(method.loss(student, teacher, torch.tensor(case["labels"])), case["loss"])


@pytest.mark.parametrize("case", ENSEMBLES)
def test_an_ensemble_has_the_reference_values(case: dict) -> None:
    student, labels = torch.tensor(case["student"]), torch.tensor(case["labels"])
    teachers = [torch.tensor(logits) for logits in case["teachers"]]
    ensemble = EnsembleDistiller(tuple(case["weights"]), case["temperature"])
    assert ensemble.weights == pytest.approx(case["normalised"])
    close(ensemble.combine_teachers(teachers), case["combine_teachers"])
    close(ensemble.combine_via_probabilities(teachers), case["combine_via_probabilities"])
    close(ensemble.distillation_loss(student, teachers, labels, case["alpha"]), case["distillation_loss"])
    close(
        ensemble.distillation_loss(student, teachers, labels, case["alpha"], via_probabilities=True),
        case["distillation_loss_probabilities"],
    )


def test_teachers_that_contradict_each_other_with_certainty_do_not_underflow() -> None:
    (case,) = [case for case in VECTORS["ensemble"] if "note" in case]
    ensemble = EnsembleDistiller(tuple(case["weights"]), case["temperature"])
    teachers = [torch.tensor(logits) for logits in case["teachers"]]
    close(ensemble.combine_via_probabilities(teachers), case["combine_via_probabilities"])


@pytest.mark.parametrize("case", VECTORS["progressive"])
def test_hidden_states_have_the_reference_values(case: dict) -> None:
    projection = None if case["projection"] is None else torch.tensor(case["projection"])
    method = ProgressiveDistillation(case["layer_mapping"], case["hidden_weight"], projection)
    student, teacher = ([torch.tensor(layer) for layer in case[key]] for key in ("student", "teacher"))
    close(method.hidden_state_loss(student, teacher), case["loss"])


@pytest.mark.parametrize("case", VECTORS["attention_transfer"])
def test_attention_maps_have_the_reference_values(case: dict) -> None:
    student, teacher = ([torch.tensor(layer) for layer in case[key]] for key in ("student", "teacher"))
    close(AttentionTransfer(case["weight"]).loss(student, teacher), case["loss"])


def test_gradients_are_those_of_the_formulas() -> None:
    labels = torch.tensor([[0, -100, 2], [3, 1, -100]])
    logits, teacher, other = (normal(2, 3, 4, seed=seed) for seed in range(3))
    hidden = [normal(2, 3, 5, seed=seed) for seed in range(6)]
    projection = normal(5, 5, seed=9).requires_grad_()
    maps = [normal(2, 3, 3, seed=seed).softmax(-1) for seed in range(4)]
    ensemble = EnsembleDistiller((1, 2), 3.0)
    losses = [
        (lambda x: KnowledgeDistillation(2.0, 0.3).loss(x, teacher, labels), logits),
        (lambda x: ensemble.distillation_loss(x, [teacher, other], labels, 0.7), logits),
        (lambda x: ensemble.distillation_loss(x, [teacher, other], labels, 0.7, via_probabilities=True), logits),
        (lambda x: AttentionTransfer(0.5).loss([x, maps[1]], maps[2:]), maps[0]),
    ]
    for form in ("mse", "normalized", "cosine"):
        method = ProgressiveDistillation([(0, 2), (1, 0)], 0.5, projection, form)
        losses.append((lambda x, m=method: m.hidden_state_loss([x, hidden[1]], hidden[2:5], labels), hidden[0]))
    for loss, at in losses:
        assert torch.autograd.gradcheck(loss, (at.clone().requires_grad_(),))

    def through_projection(p: torch.Tensor) -> torch.Tensor:
        return ProgressiveDistillation([(0, 0)], 1.0, p).hidden_state_loss(hidden[:1], hidden[1:2])

    assert torch.autograd.gradcheck(through_projection, (projection,))


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_extreme_logits_stay_finite_and_exact(alpha: float, dtype: torch.dtype) -> None:
    student = torch.tensor([[400.0, -400.0, 0.0]], dtype=dtype, requires_grad=True)
    teacher = torch.tensor([[-400.0, 400.0, 0.0]], dtype=dtype)
    loss = KnowledgeDistillation(2.0, alpha).loss(student, teacher, torch.tensor([1]))
    close(loss.detach(), alpha * 4 * 400.0 + (1 - alpha) * 800.0)
    loss.backward()
    assert student.grad is not None
    assert torch.isfinite(student.grad).all()


def test_masked_positions_count_nowhere() -> None:
    labels = torch.tensor([[1, -100, 2, -100]])
    student, teacher = normal(1, 4, 5), normal(1, 4, 5, seed=1)
    method = KnowledgeDistillation(1.5, 0.4)
    kept = [0, 2]
    expected = method.loss(student[:, kept], teacher[:, kept], labels[:, kept])
    student[:, 1], teacher[:, 3] = math.nan, math.inf
    torch.testing.assert_close(method.loss(student, teacher, labels), expected)
    hidden = ProgressiveDistillation([(0, 0)])
    torch.testing.assert_close(
        hidden.hidden_state_loss([teacher.nan_to_num(9, 9, 9)], [student.nan_to_num(3)], labels),
        hidden.hidden_state_loss([teacher[:, kept]], [student[:, kept]]),
    )


def test_a_batch_without_counted_positions_has_no_loss() -> None:
    logits = normal(2, 3, 4)
    loss = KnowledgeDistillation().loss(logits, logits + 1, torch.full((2, 3), -100))
    assert loss.item() == 0


def test_alpha_0_is_the_labels_alone_and_alpha_1_the_teacher_alone() -> None:
    student, teacher, labels = normal(3, 4), normal(3, 4, seed=1), torch.tensor([0, 1, 3])
    cross_entropy = torch.nn.functional.cross_entropy(student, labels)
    torch.testing.assert_close(KnowledgeDistillation(5.0, 0.0).loss(student, teacher, labels), cross_entropy)
    divergence = torch.nn.functional.kl_div(
        (student / 5).log_softmax(-1), (teacher / 5).log_softmax(-1), log_target=True, reduction="batchmean"
    )
    torch.testing.assert_close(KnowledgeDistillation(5.0, 1.0).loss(student, teacher, labels), 25 * divergence)


def test_weights_come_from_accuracy_or_confidence() -> None:
    assert EnsembleDistiller.from_accuracies([0.9, 0.3]).weights == pytest.approx((0.75, 0.25))
    sure, unsure = torch.tensor([[100.0, 0.0]]), torch.tensor([[0.0, 0.0]])
    assert EnsembleDistiller.from_confidences([sure, unsure]).weights == pytest.approx((2 / 3, 1 / 3))
    assert EnsembleDistiller.uniform(4).weights == (0.25,) * 4


def test_a_projection_is_xavier_uniform_and_follows_its_seed() -> None:
    method = ProgressiveDistillation([(0, 0)]).with_projection(300, 200, seed=1)
    bound = math.sqrt(6 / 500)
    assert method.projection is not None
    assert method.projection.shape == (300, 200)
    assert abs(method.projection).max() <= bound
    assert float((method.projection**2).mean()) == pytest.approx(bound**2 / 3, rel=0.02)
    again = ProgressiveDistillation([(0, 0)]).with_projection(300, 200, seed=1)
    assert (again.projection == method.projection).all()
    assert not (
        ProgressiveDistillation([(0, 0)]).with_projection(300, 200, seed=2).projection == method.projection
    ).all()
    assert method.with_weight(0.25).hidden_weight == 0.25


def test_heads_are_averaged() -> None:
    student, teacher = normal(2, 3, 4, 4).softmax(-1), normal(2, 5, 4, 4, seed=1).softmax(-1)
    method = AttentionTransfer()
    torch.testing.assert_close(method.loss([student], [teacher]), method.loss([student.mean(1)], [teacher.mean(1)]))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: KnowledgeDistillation(0.0), "temperature"),
        (lambda: KnowledgeDistillation(math.inf), "temperature"),
        (lambda: KnowledgeDistillation(2.0, 1.5), "alpha"),
        (lambda: KnowledgeDistillation(2.0, -0.1), "alpha"),
        (lambda: EnsembleDistiller(()), "weights"),
        (lambda: EnsembleDistiller((1, -1)), "weights"),
        (lambda: EnsembleDistiller((0, 0)), "weights"),
        (lambda: EnsembleDistiller((1, math.nan)), "weights"),
        (lambda: EnsembleDistiller((1, math.inf)), "weights"),
        (lambda: EnsembleDistiller.uniform(0), "weights"),
        (lambda: EnsembleDistiller((1,), -1), "temperature"),
        (lambda: ProgressiveDistillation([]), "empty"),
        (lambda: ProgressiveDistillation([(0, 0)], -1), "hidden_weight"),
        (lambda: AttentionTransfer(-1), "weight"),
        (lambda: AttentionTransfer(0.1, []), "empty"),
    ],
)
def test_what_makes_no_sense_is_refused(make, message: str) -> None:
    with pytest.raises(MethodError, match=message):
        make()


def test_shapes_that_differ_are_refused() -> None:
    labels = torch.zeros(2, dtype=torch.long)
    with pytest.raises(MethodError, match=r"student's logits are \[2, 3\], the teacher's \[2, 4\]"):
        KnowledgeDistillation().loss(normal(2, 3), normal(2, 4), labels)
    with pytest.raises(MethodError, match=r"labels are \[2\]"):
        KnowledgeDistillation().loss(normal(3, 3), normal(3, 3), labels)
    with pytest.raises(MethodError, match="logits are"):
        KnowledgeDistillation().loss(normal(3), normal(3), torch.tensor(0))
    with pytest.raises(MethodError, match="3 teachers for 2 weights"):
        EnsembleDistiller((1, 1)).combine_teachers([normal(2, 3)] * 3)
    with pytest.raises(MethodError, match="differ in shape"):
        EnsembleDistiller((1, 1)).combine_via_probabilities([normal(2, 3), normal(2, 4)])
    hidden = [normal(1, 2, 3)]
    with pytest.raises(MethodError, match=r"teacher layer 1 of the pair \(0, 1\) is not in \[0, 1\)"):
        ProgressiveDistillation([(0, 1)]).hidden_state_loss(hidden, hidden)
    with pytest.raises(MethodError, match="with_projection makes widths equal"):
        ProgressiveDistillation([(0, 0)]).hidden_state_loss(hidden, [normal(1, 2, 4)])
    with pytest.raises(MethodError, match="the student has width 3, the projection is"):
        ProgressiveDistillation([(0, 0)]).with_projection(4, 4).hidden_state_loss(hidden, hidden)
    with pytest.raises(MethodError, match="a layer mapping is needed"):
        AttentionTransfer().loss([normal(1, 2, 2)], [normal(1, 2, 2)] * 2)
    with pytest.raises(MethodError, match="do not fit"):
        AttentionTransfer().loss([normal(1, 2, 2)], [normal(1, 3, 3)])
