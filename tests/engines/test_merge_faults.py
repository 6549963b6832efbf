"""What is said of the parents of a merge although it stands against nothing."""

from pathlib import Path

import ml_dtypes
import numpy as np

from lineal.checkpoint.reader import open_checkpoint
from lineal.engines.merge.faults import merge_remarks
from lineal.engines.parents.model import Model, full_model
from lineal.methods.recipe.recipe import Part, Stretch
from tests.builders import make_adapter, make_checkpoint, random_tensors, write_json

SHAPES = {"a.weight": (3, 4), "norm.weight": (4,)}


def model(folder: Path, dtype: object = np.float32) -> Model:
    return full_model(folder.name, open_checkpoint(make_checkpoint(folder, random_tensors(1, SHAPES, dtype))))


def remarks(*inputs: Model) -> tuple[str, ...]:
    """Of a merge of all of them."""
    return merge_remarks([Part(models=tuple(Stretch(model=place) for place in range(len(inputs))))], inputs, inputs[0])


def test_of_parents_that_agree_nothing_is_said(tmp_path: Path) -> None:
    assert remarks(model(tmp_path / "a"), model(tmp_path / "b")) == ()


def test_another_licence_and_another_chat_template_are_said(tmp_path: Path) -> None:
    one, two = model(tmp_path / "a"), model(tmp_path / "b")
    (one.folder / "LICENSE").write_text("MIT")
    (two.folder / "LICENSE").write_text("not for sale")
    write_json(two.folder / "tokenizer_config.json", {"chat_template": "{{ messages }}"})
    assert remarks(one, two) == (
        "the licence of b differs from that of a, which the child gets",
        "the chat template of b differs from that of a, which the child gets",
    )


def test_a_parent_without_a_licence_or_template_says_nothing(tmp_path: Path) -> None:
    one, two = model(tmp_path / "a"), model(tmp_path / "b")
    (one.folder / "LICENSE").write_text("MIT")
    assert remarks(one, two) == ()


def test_other_dtypes_are_said(tmp_path: Path) -> None:
    found = remarks(model(tmp_path / "a", ml_dtypes.bfloat16), model(tmp_path / "b"))
    assert found == ("b is stored as F32, a as BF16",)


def test_a_parent_that_takes_part_twice_is_allowed_and_said(tmp_path: Path) -> None:
    one, two = model(tmp_path / "a"), model(tmp_path / "b")
    assert remarks(one, two, one) == ("a takes part more than once",)


def test_two_adapters_of_one_base_are_two_parents(tmp_path: Path) -> None:
    base = model(tmp_path / "base")
    pair = (np.ones((1, 4), np.float32), np.ones((3, 1), np.float32))
    adapters = [open_checkpoint(make_adapter(tmp_path / name, {"a": pair})) for name in ("x", "y")]
    inputs = [base, *(full_model(one.folder.name, base.checkpoint, one) for one in adapters)]
    assert remarks(*inputs) == ()


def test_in_a_recipe_a_model_may_give_blocks_to_several_parts_but_twice_to_one_is_said(tmp_path: Path) -> None:
    inputs = [model(tmp_path / "a"), model(tmp_path / "b")]
    first, second = Stretch(model=0, blocks=(0, 1)), Stretch(model=1, blocks=(0, 1))
    assert merge_remarks([Part(models=(first,)), Part(models=(first,))], inputs, None) == ()
    assert merge_remarks([Part(models=(first, second, first))], inputs, None) == ("a takes part more than once",)


def test_the_ground_of_an_adapter_is_no_part_of_the_merge(tmp_path: Path) -> None:
    base = model(tmp_path / "base")
    part = Part(models=(Stretch(model=0), Stretch(model=1)))
    adapter = open_checkpoint(
        make_adapter(tmp_path / "x", {"a": (np.ones((1, 4), np.float32), np.ones((3, 1), np.float32))})
    )
    assert merge_remarks([part], [base, full_model("x", base.checkpoint, adapter), base], None) == ()
