"""What is recorded of an evaluation, and when."""

from pathlib import Path

import pytest

from lineal.engines.inference import evaluate as engine
from lineal.engines.inference.evaluate import Scores
from lineal.family.build.evaluation import Asked, evaluate_model, settings_of
from lineal.family.build.training_rules import training_rules
from lineal.family.session import LocalModel, Session, register
from lineal.lineage.records.records import Evaluation
from lineal.methods.finetune.full import FullFineTune
from tests.engines.bordered import bordered_model, lines_of
from tests.engines.tiny_models import make_documents, make_model


@pytest.fixture
def local(session: Session, tmp_path: Path) -> LocalModel:
    return known(session, make_model(tmp_path / "m"))


@pytest.fixture
def texts(tmp_path: Path) -> dict[str, Path]:
    return {name: lines_of(tmp_path / f"{name}.jsonl", make_documents(seed, 4)) for seed, name in enumerate("ab")}


def known(session: Session, folder: Path) -> LocalModel:
    local = session.identify(session.open(folder.name, folder))
    register(session, local)
    return local


def test_a_finished_text_is_kept_when_the_next_one_is_interrupted(
    session: Session, local: LocalModel, texts: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    score, calls = engine._score, 0

    def interrupted(*given: object) -> Scores:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise KeyboardInterrupt
        return score(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(engine, "_score", interrupted)
    with pytest.raises(KeyboardInterrupt):
        evaluate_model(session, local, texts)
    assert [e.text for e in session.registry.evaluations(local.model_hash)] == ["a"]
    assert [e.text for e in evaluate_model(session, local, texts)] == ["a", "b"]
    assert calls == 3


def test_figures_in_bfloat16_stand_beside_those_in_float32(
    session: Session, local: LocalModel, texts: dict[str, Path]
) -> None:
    (exact, _) = evaluate_model(session, local, texts)
    (rounded, _) = evaluate_model(session, local, texts, Asked(dtype="bfloat16"))
    assert exact.settings == {"context": 32}
    assert rounded.settings == {"context": 32, "dtype": "bfloat16"}
    assert exact.perplexity != rounded.perplexity
    assert rounded.perplexity == pytest.approx(exact.perplexity, rel=0.05)
    assert evaluate_model(session, local, texts)[0] == exact


def test_how_many_logits_are_held_is_no_part_of_a_figure(
    session: Session, local: LocalModel, texts: dict[str, Path]
) -> None:
    assert settings_of(local, Asked(logits_mebibytes=1)) == settings_of(local, Asked())


def test_what_was_recorded_when_only_the_first_window_had_a_beginning_is_not_taken(
    session: Session, texts: dict[str, Path], tmp_path: Path
) -> None:
    local = known(session, bordered_model(tmp_path / "bos", bos=True))
    text = {"a": texts["a"]}
    (now,) = evaluate_model(session, local, text)
    assert now.settings == {"context": 32, "beginning": "every window"}
    assert now.perplexity is not None
    before = Evaluation(local.model_hash, "a", now.data_hash, {"context": 32}, None, 9.0, 1.0, None, 5, 5)
    session.registry.record_evaluation(before)
    assert evaluate_model(session, local, text) == [now]


def test_a_training_on_texts_that_were_once_read_with_two_beginnings_is_another_step(
    session: Session, tmp_path: Path
) -> None:
    with_bos = known(session, bordered_model(tmp_path / "bos", bos=True))
    plain = known(session, bordered_model(tmp_path / "plain"))
    chats = lines_of(tmp_path / "chats.jsonl", ["a step", "<bos>[user] a step"])
    letters = lines_of(tmp_path / "letters.jsonl", ["a step", "by <bos> in the middle"])
    assert training_rules(FullFineTune(), [("parent", with_bos)], [letters, chats]) == 2
    assert training_rules(FullFineTune(), [("parent", with_bos)], [letters]) == 1
    assert training_rules(FullFineTune(), [("parent", plain)], [chats]) == 1
    assert training_rules(FullFineTune(), [("teacher", with_bos), ("student", plain)], [chats]) == 1
    assert training_rules(FullFineTune(), [], [chats]) == 1
