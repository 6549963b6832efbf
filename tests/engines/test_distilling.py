"""A distillation: what it minimises, which blocks a student begins with, and what it leaves behind."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import AutoModelForCausalLM

from lineal.engines.inference.language_model import load_model, load_tokenizer
from lineal.engines.text.batches import collate
from lineal.engines.train.base_name import BaseName
from lineal.engines.train.distill.distill import ModelFolder
from lineal.engines.train.distill.objective import DistillationObjective, Pupil
from lineal.engines.train.train import train
from lineal.errors import MethodError
from lineal.methods.distill.distill import Attention, Distill, Progressive
from lineal.methods.finetune.full import FullFineTune
from lineal.methods.finetune.lora import Lora
from tests.engines.tiny_models import POSITIONS, make_model, stored_in, tokenizer

SHORT = {"sequence_length": POSITIONS, "batch_size": 4, "tokens": 640}


@pytest.fixture(scope="module")
def teachers(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("teachers")
    return [make_model(folder / str(seed), seed, num_hidden_layers=4) for seed in (1, 2)]


def batch(lengths=(POSITIONS, POSITIONS - 5)):
    generator = torch.Generator().manual_seed(3)
    return collate([torch.randint(0, 300, (n,), generator=generator, dtype=torch.int32).numpy() for n in lengths])


def loaded(folders: list[Path]):
    models = [load_model(folder).requires_grad_(False) for folder in folders]
    for model in models:
        model.set_attn_implementation("eager")
    return models


def loss_of(method: Distill, folders: list[Path], given=None, counted: int | None = None) -> Tensor:
    student, *taught_by = loaded(folders)
    given = given or batch()
    total = int((given["shift_labels"] != -100).sum()) if counted is None else counted
    objective = DistillationObjective(method, student, taught_by, [None] * len(taught_by))
    return objective.loss(student, given, torch.tensor(total))


def seen(folder: Path, given) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    """Logits, outputs of the blocks and attention maps in float64, by transformers and hooks of our own."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64, attn_implementation="eager")
    hidden: list[Tensor] = []
    for layer in model.model.layers:
        layer.register_forward_hook(lambda _m, _i, out: hidden.append(out[0] if isinstance(out, tuple) else out))
    with torch.no_grad():
        found = model(given["input_ids"], output_attentions=True)
    return found.logits, hidden, list(found.attentions)


def kl(teacher: Tensor, student: Tensor) -> Tensor:
    return (teacher.softmax(-1) * (teacher.log_softmax(-1) - student.log_softmax(-1))).sum(-1)


def test_the_loss_is_the_formula_over_all_positions_that_count(tiny_model, teachers):
    given = batch()
    labels = given["shift_labels"]
    keep = labels != -100
    (s, hs, ms), (t1, h1, m1), (t2, h2, m2) = (seen(folder, given) for folder in (tiny_model, *teachers))
    weights, temperature, alpha = (0.75, 0.25), 3.0, 0.6
    combined = weights[0] * t1 + weights[1] * t2
    soft = kl(combined / temperature, s / temperature)[keep].mean() * temperature**2
    hard = -s.log_softmax(-1)[keep].gather(-1, labels[keep][:, None]).mean()
    expected = alpha * soft + (1 - alpha) * hard
    for weight, hidden, maps in ((0.75, h1, m1), (0.25, h2, m2)):
        pairs = [(0, 1), (1, 3)]
        mse = sum(((hs[a] - hidden[b])[keep] ** 2).mean() for a, b in pairs) / 2
        distance = torch.zeros((), dtype=torch.float64)
        for a, b in pairs:
            ours, theirs = (maps_.mean(1) * keep[:, :, None] for maps_ in (ms[a], maps[b]))
            ours = ours / ours.flatten(1).norm(dim=1)[:, None, None]
            theirs = theirs / theirs.flatten(1).norm(dim=1)[:, None, None]
            distance += ((ours - theirs) ** 2).sum((1, 2)).mean() / 2
        expected = expected + weight * (0.5 * mse + 0.1 * distance)
    method = Distill(
        temperature=temperature,
        alpha=alpha,
        weights=(3.0, 1.0),
        progressive=Progressive(layer_mapping=((0, 1), (1, 3)), hidden_weight=0.5),
        attention=Attention(layer_mapping=((0, 1), (1, 3))),
    )
    torch.testing.assert_close(loss_of(method, [tiny_model, *teachers], given).double(), expected, rtol=2e-6, atol=0)


def test_probabilities_are_averaged_on_request(tiny_model, teachers):
    given = batch()
    keep = given["shift_labels"] != -100
    s, t1, t2 = (seen(folder, given)[0] for folder in (tiny_model, *teachers))
    mean = (0.5 * (t1 / 2).softmax(-1) + 0.5 * (t2 / 2).softmax(-1)).log()
    expected = 4 * kl(mean, s / 2)[keep].mean()
    found = loss_of(Distill(alpha=1.0, combine="probabilities"), [tiny_model, *teachers], given)
    torch.testing.assert_close(found.double(), expected, rtol=2e-6, atol=0)


def test_a_step_split_in_two_batches_has_the_loss_of_the_step(tiny_model, teachers):
    method = Distill(progressive=Progressive(layer_mapping=((0, 1),)))
    whole = batch((POSITIONS, POSITIONS, POSITIONS))
    total = int((whole["shift_labels"] != -100).sum())
    parts = [{name: rows[part] for name, rows in whole.items()} for part in (slice(0, 1), slice(1, 3))]
    found = [loss_of(method, [tiny_model, teachers[0]], part, total) for part in parts]
    torch.testing.assert_close(sum(found), loss_of(method, [tiny_model, teachers[0]], whole), rtol=1e-5, atol=0)


def test_only_the_student_and_its_projection_receive_gradients(tiny_model, tmp_path):
    wide = make_model(tmp_path / "wide", 5, hidden_size=48, num_hidden_layers=3)
    student, teacher = load_model(tiny_model), load_model(wide).requires_grad_(False)
    method = Distill(progressive=Progressive(layer_mapping=((0, 0), (1, 2))))
    projection = nn.Parameter(torch.randn(32, 48))
    pupil = Pupil(student, [projection])
    assert len([p for p in pupil.parameters() if p is projection]) == 1
    given = batch()
    DistillationObjective(method, student, [teacher], [projection]).loss(pupil, given, torch.tensor(10)).backward()
    assert projection.grad is not None
    assert projection.grad.abs().max() > 0
    assert all(parameter.grad is not None for parameter in student.parameters())
    assert all(parameter.grad is None for parameter in teacher.parameters())


def distilled(folder: Path, method: Distill, data: Path, student: Path, *teachers: Path, **options) -> Path:
    out = folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    train(
        method,
        data=[data],
        out=out,
        scratch=folder / "scratch",
        parent=student,
        base=BaseName("family:parent"),
        teachers=[ModelFolder(teacher, name=f"family:{teacher.name}") for teacher in teachers],
        **options,
    )
    return out


def test_a_cut_student_is_an_ordinary_model_that_begins_as_its_parents_blocks(tmp_path, data, teachers):
    method = Distill(layers=2, learning_rate=1e-12, **SHORT)
    out = distilled(tmp_path, method, data, teachers[0], *teachers)
    model, info = AutoModelForCausalLM.from_pretrained(out, output_loading_info=True)
    assert not any(info[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert model.config.num_hidden_layers == len(model.model.layers) == 2
    parent, child = load_file(teachers[0] / "model.safetensors"), load_file(out / "model.safetensors")
    for name, tensor in child.items():
        origin = name.replace("layers.1.", "layers.2.")  # blocks 0 and 2 of 4
        torch.testing.assert_close(tensor, parent[origin], rtol=1e-6, atol=1e-8)
    assert len(child) == len(parent) - 2 * 9
    before, after = (json.loads((folder / "config.json").read_text()) for folder in (teachers[0], out))
    assert {key for key in after if after[key] != before[key]} == {"num_hidden_layers", *_per_layer(before)}
    assert (out / "tokenizer.json").read_bytes() == (teachers[0] / "tokenizer.json").read_bytes()


def _per_layer(config: dict) -> set[str]:
    return {"layer_types"} & config.keys()


def test_without_a_share_of_the_teachers_it_is_full_fine_tuning(tmp_path, data, tiny_model, teachers):
    out = distilled(tmp_path / "distilled", Distill(alpha=0.0, **SHORT), data, tiny_model, *teachers)
    plain = tmp_path / "plain"
    plain.mkdir()
    method = FullFineTune(learning_rate=Distill().learning_rate, **SHORT)
    train(method, data=[data], out=plain, scratch=tmp_path / "scratch", parent=tiny_model, base=BaseName("tiny"))
    assert (out / "model.safetensors").read_bytes() == (plain / "model.safetensors").read_bytes()
    assert not Distill(alpha=0.0).uses_teachers
    assert Distill(alpha=0.0, attention=Attention()).uses_teachers


def test_the_blocks_to_keep_may_be_listed(tmp_path, data, teachers):
    out = distilled(tmp_path, Distill(layers=(1, 3), learning_rate=1e-12, **SHORT), data, teachers[0], teachers[1])
    parent, child = load_file(teachers[0] / "model.safetensors"), load_file(out / "model.safetensors")
    key = "model.layers.{}.mlp.up_proj.weight"
    torch.testing.assert_close(child[key.format(0)], parent[key.format(1)])
    torch.testing.assert_close(child[key.format(1)], parent[key.format(3)])


def test_a_student_keeps_its_dtypes_and_learns_from_its_teacher(tmp_path, data, tiny_model, teachers):
    narrow = stored_in(tmp_path / "narrow", tiny_model, {"model.norm.weight": torch.float32}, torch.bfloat16)
    options = {**SHORT, "tokens": 6400}
    out = distilled(tmp_path, Distill(alpha=1.0, learning_rate=5e-3, **options), data, narrow, teachers[0])
    stored = load_file(out / "model.safetensors")
    assert {name for name, tensor in stored.items() if tensor.dtype == torch.float32} == {"model.norm.weight"}
    assert stored["model.embed_tokens.weight"].dtype == torch.bfloat16
    given = batch()
    keep = given["shift_labels"] != -100
    teacher, before, after = (seen(folder, given)[0] for folder in (teachers[0], narrow, out))
    assert kl(teacher, after)[keep].mean() < 0.6 * kl(teacher, before)[keep].mean()


def test_adapters_can_teach_and_be_taught(tmp_path, data, tiny_model):
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    train(
        Lora(rank=2, learning_rate=1e-2, **SHORT),
        data=[data],
        out=adapter,
        scratch=tmp_path / "lora",
        parent=tiny_model,
        base=BaseName("tiny"),
    )
    out = tmp_path / "out"
    out.mkdir()
    train(
        Distill(layers=1, progressive=Progressive(layer_mapping=((0, 1),)), **SHORT),
        data=[data],
        out=out,
        scratch=tmp_path / "scratch",
        parent=adapter,
        parent_base=tiny_model,
        teachers=[ModelFolder(adapter, tiny_model, "adapter"), ModelFolder(tiny_model, name="tiny")],
        base=BaseName("adapter"),
    )
    assert load_model(out).config.num_hidden_layers == 1
    assert load_tokenizer(out).get_vocab() == tokenizer().get_vocab()


class Interrupted(Exception):
    pass


def test_a_distillation_with_a_projection_continues_to_the_bytes_of_an_uninterrupted_one(tmp_path, data, tiny_model):
    wide = make_model(tmp_path / "wide", 5, hidden_size=48, num_hidden_layers=3)
    method = Distill(
        optimizer="muon",
        progressive=Progressive(layer_mapping=((0, 0), (1, 2)), form="cosine"),
        attention=Attention(layer_mapping=((1, 1),)),
        **SHORT,
    )

    def stop(done: int, _total: int, _loss: float) -> None:
        if done == 3:
            raise Interrupted

    whole = distilled(tmp_path / "whole", method, data, tiny_model, wide)
    expected = {path.name: path.read_bytes() for path in whole.iterdir()}
    with pytest.raises(Interrupted):
        distilled(tmp_path / "parts", method, data, tiny_model, wide, checkpoint_seconds=0, progress=stop)
    parts = distilled(tmp_path / "parts", method, data, tiny_model, wide)
    assert {path.name: path.read_bytes() for path in parts.iterdir()} == expected
    assert set(load_file(parts / "model.safetensors")) == set(load_file(tiny_model / "model.safetensors"))


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (Distill(layers=5, **SHORT), "layers 5 is more than the 4 blocks of the parent"),
        (Distill(layers=(0, 4), **SHORT), "there is no block 4, the parent has 4"),
        (
            Distill(layers=2, progressive=Progressive(layer_mapping=((2, 0),)), **SHORT),
            r"student layer 2 of the pair \(2, 0\) is not in \[0, 2\)",
        ),
        (
            Distill(progressive=Progressive(layer_mapping=((0, 4),)), **SHORT),
            r"teacher layer 4 of the pair \(0, 4\) is not in \[0, 4\)",
        ),
        (Distill(layers=3, attention=Attention(), **SHORT), "3 layers of the student, 4 of the teacher"),
        (Distill(weights=(1, 1, 1), **SHORT), "3 weights for 1 teachers"),
        (Distill(**{**SHORT, "sequence_length": POSITIONS + 1}), "more than the model's"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_does_not_fit_the_models_is_refused(tmp_path, data, teachers, method, message):
    with pytest.raises(MethodError, match=message):
        distilled(tmp_path, method, data, teachers[0], teachers[1])


def test_a_distillation_without_a_teacher_is_refused(tmp_path, data, teachers):
    with pytest.raises(MethodError, match="at least one teacher"):
        distilled(tmp_path, Distill(**SHORT), data, teachers[0])


def test_models_that_mean_other_things_by_a_token_are_refused(tmp_path, data, tiny_model):
    padded = make_model(tmp_path / "padded", vocab_size=320)
    with pytest.raises(MethodError, match="family:parent has logits for 300 tokens, the teacher family:padded for 320"):
        distilled(tmp_path / "a", Distill(**SHORT), data, tiny_model, padded)
    other = shutil.copytree(tiny_model, tmp_path / "other")
    words = json.loads((other / "tokenizer.json").read_text())
    words["model"]["merges"] = words["model"]["merges"][:-20]
    (other / "tokenizer.json").write_text(json.dumps(words))
    with pytest.raises(MethodError, match="the tokenizers of the student family:parent and the teacher family:other"):
        distilled(tmp_path / "b", Distill(**SHORT), data, tiny_model, other)
