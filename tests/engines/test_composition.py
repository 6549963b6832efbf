"""Which tensors a recipe makes: names, blocks renumbered, and what lies before and after them."""

import pytest

from lineal.engines.merge.composition import ComposedTensor, composed
from lineal.errors import CheckpointError
from lineal.methods.recipe.recipe import MergeRecipe, Part, Stretch


def llama(blocks: int) -> list[str]:
    within = [f"model.layers.{i}.{part}.weight" for i in range(blocks) for part in ("mlp.up_proj", "input_layernorm")]
    return ["model.embed_tokens.weight", *within, "model.norm.weight", "lm_head.weight"]


def stack(*parts: Part) -> MergeRecipe:
    return MergeRecipe(method="passthrough" if len(parts[0].models) == 1 else "linear", parts=parts)


def one(model: int, first: int, last: int) -> Part:
    return Part(models=(Stretch(model=model, blocks=(first, last)),))


def found(recipe: MergeRecipe, *models: list[str]) -> dict[str, ComposedTensor]:
    labels = [chr(ord("a") + index) for index in range(len(models))]
    return {tensor.name: tensor for tensor in composed(recipe, models, labels)}


def test_blocks_are_numbered_anew_in_the_order_of_the_parts() -> None:
    child = found(stack(one(0, 0, 3), one(1, 2, 4)), llama(3), llama(4))
    assert set(child) == set(llama(5))
    origins = [child[f"model.layers.{i}.mlp.up_proj.weight"] for i in range(5)]
    assert [(t.part.models[0].model, t.names[0].split(".")[2]) for t in origins] == [
        (0, "0"),
        (0, "1"),
        (0, "2"),
        (1, "2"),
        (1, "3"),
    ]


def test_the_embedding_is_of_the_first_part_and_norm_and_head_of_the_last() -> None:
    child = found(stack(one(0, 0, 1), one(1, 0, 1)), llama(1), llama(1))
    owners = {name: tensor.part.models[0].model for name, tensor in child.items() if "layers" not in name}
    assert owners == {"model.embed_tokens.weight": 0, "model.norm.weight": 1, "lm_head.weight": 1}


def test_a_block_s_place_is_that_in_its_part_and_a_lone_block_is_the_last() -> None:
    child = found(stack(one(0, 0, 3), one(0, 1, 2)), llama(3))
    places = [child[f"model.layers.{i}.input_layernorm.weight"].place for i in range(4)]
    assert places == [0.0, 0.5, 1.0, 1.0]
    assert {tensor.place for name, tensor in child.items() if "layers" not in name} == {0.0}


def test_a_part_of_several_models_takes_each_model_s_own_blocks() -> None:
    part = Part(models=(Stretch(model=0, blocks=(0, 2)), Stretch(model=1, blocks=(2, 4))))
    child = found(stack(part), llama(2), llama(4))
    assert child["model.layers.1.mlp.up_proj.weight"].names == (
        "model.layers.1.mlp.up_proj.weight",
        "model.layers.3.mlp.up_proj.weight",
    )


def test_whole_models_keep_their_names_and_each_stack_of_blocks_its_places() -> None:
    names = [f"text.layers.{i}.w.weight" for i in range(3)] + [f"vision.layers.{i}.w.weight" for i in range(2)]
    child = found(MergeRecipe(method="passthrough", parts=(Part(models=(Stretch(model=0),)),)), names)
    assert [child[name].place for name in names] == [0.0, 0.5, 1.0, 0.0, 1.0]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (llama(2), "a: has no block 2, only 0 to 1"),
        ([*llama(3), "model.rotary.weight"], r"'model\.rotary\.weight' is in no block"),
        ([*llama(3), "vision.layers.0.w.weight"], r"one stack of blocks .* model\.layers\.N, vision\.layers\.N"),
        (["model.norm.weight"], "one stack of blocks is needed to take slices of, found none"),
    ],
)
def test_what_cannot_be_taken_apart_is_refused(names: list[str], message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        found(stack(one(0, 0, 3)), names)
