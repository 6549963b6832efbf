"""Layouts: what transformers writes the other way holds the published tensors, byte for byte, where the rules say."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file
from transformers import AutoModelForCausalLM, AutoModelForMultimodalLM, PreTrainedModel
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
from transformers.utils import logging

from lineal.checkpoint.layouts.known import Layout, layouts_of
from lineal.checkpoint.layouts.multimodal import FUSED_MULTIMODAL
from lineal.checkpoint.layouts.published_alone import PUBLISHED_ALONE
from lineal.checkpoint.layouts.rules import Moved
from lineal.checkpoint.layouts.storing import stored_as
from lineal.checkpoint.layouts.table import FUSED, LAYOUTS, PREFIXED, REWRITTEN
from lineal.checkpoint.layouts.turn import raw_elements
from lineal.checkpoint.layouts.views import Seen, View, seen
from lineal.checkpoint.reader import Checkpoint, open_checkpoint
from tests.walk.tiny import tiny_model, tiny_multimodal_model

logging.set_verbosity_error()
logging.disable_progress_bar()
Content = tuple[str, tuple[int, ...], bytes]
OTHERWISE: Mapping[str, Mapping[str, Any]] = {
    "bailing_hybrid": {"layer_group_size": 2, "first_k_dense_replace": 1, "attention_bias": True},
    "deepseek_v4": {"layer_types": ["heavily_compressed_attention", "compressed_sparse_attention"] * 2},
    "kimi_linear": {
        "linear_head_dim": 8,
        "linear_num_heads": 4,
        "num_key_value_heads": 4,
        "layer_types": ["linear_attention", "full_attention"] * 2,
        "mlp_layer_types": ["dense", "sparse", "sparse", "sparse"],
    },
}
"""What models need so that they have every tensor that a rule is about."""
UNCHANGED = "qwen3_vl_moe"
"""Read in both layouts by transformers 5.23, written in one."""
CONVERTED = sorted(one for one in LAYOUTS if FUSED in LAYOUTS[one] and one != UNCHANGED)
MOVED = sorted(one for one in LAYOUTS if PREFIXED in LAYOUTS[one])
REPLACED = sorted(one for one in LAYOUTS if REWRITTEN in LAYOUTS[one])


def tiny(model_type: str, seed: int = 0) -> PreTrainedModel:
    if model_type in FUSED_MULTIMODAL:
        return tiny_multimodal_model(model_type, seed)
    return tiny_model(model_type, seed, overrides=OTHERWISE.get(model_type))


def saved(model: PreTrainedModel, folder: Path) -> tuple[Checkpoint, Checkpoint]:
    """As transformers writes it, and as it is in memory."""
    model.save_pretrained(folder / "written")
    model.save_pretrained(folder / "other", save_original_format=False)
    return open_checkpoint(folder / "written"), open_checkpoint(folder / "other")


def looked_at(checkpoint: Checkpoint) -> Seen:
    found = seen(dict(checkpoint.items()), checkpoint.config, "m")
    assert found is not None
    return found


def content(view: View) -> Content:
    spec = view.spec
    with spec.path.open("rb") as file:
        file.seek(spec.offset)
        raw = file.read(spec.byte_length)
    if view.turn is not None:
        raw = view.turn.turned(raw_elements(raw, spec.byte_length // spec.elements)).tobytes()
    return spec.dtype, spec.shape, raw


def contents(found: Seen) -> dict[str, Content]:
    return {name: content(view) for name, view in found.views.items()}


def as_stored(found: Seen, layouts: tuple[Layout, ...], config: Mapping[str, Any]) -> dict[str, Content]:
    """What a child in these layouts holds."""
    kept = {name: content(view)[2] for name, view in found.views.items()}
    made: dict[str, Content] = {}
    for one in stored_as([view.spec for view in found.views.values()], layouts, config, "m"):
        raw = b"".join(kept[name] for name in one.parts)
        if one.turn is not None:
            raw = one.turn.turned(raw_elements(raw, 4)).tobytes()
        made[one.name] = one.dtype, one.shape, raw
    return made


def stored(checkpoint: Checkpoint) -> dict[str, Content]:
    return {name: content(View(spec, name)) for name, spec in checkpoint.items()}


def unused(layout: Layout, names: list[str]) -> set[str]:
    """Stored names of rules that are about none of these."""
    ends = {found.rule for name in names if (found := layout.stored(name)) is not None}
    starts = {layout.start_of_stored(name) for name in names}
    return {rule.stored for rule in layout.rules if rule not in (starts if isinstance(rule, Moved) else ends)}


@pytest.mark.parametrize("model_type", CONVERTED)
def test_both_layouts_hold_the_same(model_type: str, tmp_path: Path) -> None:
    written, other = saved(tiny(model_type), tmp_path)
    fused, found = looked_at(other), looked_at(written)
    assert [layout.name for layout in fused.layouts] == [FUSED]
    assert [layout.name for layout in found.layouts] == [REWRITTEN] * (model_type in REPLACED)
    assert contents(fused) == contents(found)
    assert as_stored(found, fused.layouts, written.config) == stored(other)
    assert as_stored(fused, found.layouts, written.config) == stored(written)
    if model_type not in REPLACED:
        assert {name: view.spec for name, view in found.views.items()} == dict(written.items())
    for layout, names in (
        (layout, list(one)) for one, its in ((other, fused), (written, found)) for layout in its.layouts
    ):
        assert unused(layout, names) == set()


@pytest.mark.parametrize("model_type", REPLACED)
def test_transformers_reads_the_published_layout_that_it_does_not_write(model_type: str, tmp_path: Path) -> None:
    model = tiny(model_type)
    written, other = saved(model, tmp_path)
    save_as(tmp_path / "published", contents(looked_at(other)))
    model.config.save_pretrained(tmp_path / "published")
    published = open_checkpoint(tmp_path / "published")
    assert set(published) != set(written)
    assert looked_at(published).layouts == ()
    assert_loaded(tmp_path / "published", model)


@pytest.mark.parametrize("model_type", MOVED)
def test_a_language_model_is_read_under_the_names_that_it_has_in_a_larger_one(model_type: str, tmp_path: Path) -> None:
    model = tiny(model_type)
    written, _ = saved(model, tmp_path)
    (prefixed,) = (layout for layout in layouts_of(written.config) or () if layout.name == PREFIXED)
    published = looked_at(written)
    moved = as_stored(published, (prefixed,), written.config)
    assert all(name.startswith(("model.language_model.", "lm_head.")) for name in moved)
    save_as(tmp_path / "moved", moved)
    model.config.save_pretrained(tmp_path / "moved")
    found = looked_at(open_checkpoint(tmp_path / "moved"))
    assert found.layouts == (prefixed,)
    assert contents(found) == contents(published)
    assert_loaded(tmp_path / "moved", model)


@pytest.mark.parametrize("square", [False, True])
def test_transposed_experts_are_told_by_shape(square: bool, tmp_path: Path) -> None:
    """transformers 5.23 reads [experts, in, out] and writes [experts, out, in] either way, under the same names."""
    model = tiny_multimodal_model(UNCHANGED, inside={"text_config": {"moe_intermediate_size": 16 if square else 24}})
    other, again = saved(model, tmp_path)
    assert stored(other) == stored(again)
    fused = looked_at(other)
    assert [layout.name for layout in fused.layouts] == [FUSED]
    assert unused(fused.layouts[0], list(other)) == set()
    for name, (_, shape, raw) in contents(fused).items():
        turned = np.frombuffer(content(View(other[name], name))[2], "<u4").reshape(other[name].shape)
        turned = turned.swapaxes(1, 2) if ".experts." in name else turned
        assert (turned.shape, turned.tobytes()) == (shape, raw)
    save_as(tmp_path / "published", contents(fused))
    model.config.save_pretrained(tmp_path / "published")
    published = open_checkpoint(tmp_path / "published")
    found = looked_at(published)
    assert found.layouts == ()
    assert contents(found) == contents(fused) == stored(published)
    assert as_stored(found, fused.layouts, other.config) == stored(other)
    if not square:  # of square matrices transformers takes those as its own that are not
        assert_loaded(tmp_path / "published", model)


def save_as(folder: Path, tensors: Mapping[str, Content]) -> None:
    folder.mkdir()
    kinds = {"F32": "<f4", "I64": "<i8"}
    arrays = {name: np.frombuffer(raw, kinds[dtype]).reshape(shape) for name, (dtype, shape, raw) in tensors.items()}
    save_file(arrays, folder / "model.safetensors", metadata={"format": "pt"})


def assert_loaded(folder: Path, model: PreTrainedModel) -> None:
    """What transformers loads from a folder is this model."""
    auto = AutoModelForMultimodalLM if model.config.model_type in FUSED_MULTIMODAL else AutoModelForCausalLM
    loaded, told = auto.from_pretrained(folder, output_loading_info=True)
    assert not any(told[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys")), told
    state = loaded.state_dict()
    assert state.keys() == model.state_dict().keys()
    assert all(tensor.equal(state[name]) for name, tensor in model.state_dict().items())


def test_every_architecture_of_the_table_is_walked() -> None:
    assert {*CONVERTED, *MOVED, *REPLACED, UNCHANGED} == LAYOUTS.keys()
    assert set(REPLACED) <= set(CONVERTED)


def test_what_has_one_layout_alone_is_in_no_table() -> None:
    assert set(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES) >= PUBLISHED_ALONE
    assert not PUBLISHED_ALONE & LAYOUTS.keys()
    assert all(layouts_of({"model_type": one}) == () for one in PUBLISHED_ALONE)


@pytest.mark.parametrize("model_type", ["gpt_oss", "llama", "qwen3"])
def test_what_has_one_layout_alone_is_written_the_same_either_way(model_type: str, tmp_path: Path) -> None:
    written, other = saved(tiny(model_type), tmp_path)
    assert stored(written) == stored(other)
