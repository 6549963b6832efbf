"""Models that also see or hear: where the language model and the towers stand, published and in memory.

Each row was seen in what transformers 5.23 writes; a test saves a model of each both ways. Names inside of a tower
stay: one of CLIP or SigLIP that was published under `vision_tower.vision_model.` is written without `vision_model.`.
"""

from collections.abc import Mapping, Sequence

from lineal.checkpoint.layouts.language_models import (
    ARIA,
    HYPER_CONNECTIONS,
    KIMI_DELTA_ATTENTION,
    LFM3,
    QWEN2_MOE,
    renamed,
    stacked,
    within,
)
from lineal.checkpoint.layouts.rules import Joined, Moved, Renamed, Rule, Turned


def _towers(*modules: str) -> tuple[Moved, ...]:
    """Modules that stand beside the published language model, and beside it in the model that is in memory."""
    return tuple(Moved(f"model.{module}.", f"{module}.") for module in modules)


_LANGUAGE_MODEL = (
    Moved("lm_head.", "language_model.lm_head."),
    Moved("model.language_model.", "language_model.model."),
)
_LLAVA = (*_LANGUAGE_MODEL, *_towers("vision_tower", "multi_modal_projector"))
_LLAVA_NEXT = (*_LLAVA, Moved("model.image_newline", "image_newline"))
_HEARING = (*_LANGUAGE_MODEL, *_towers("audio_tower", "multi_modal_projector"))
_QWEN2_VL = (Moved("model.language_model.", "model."), *_towers("visual"))
_SHARED = "shared_experts.gate_proj.weight", "shared_experts.up_proj.weight"
_MINIMAX_M3 = (
    *_LANGUAGE_MODEL,
    *_towers("multi_modal_projector"),
    Moved("model.multi_modal_projector.merge_linear_", "patch_merge_mlp.linear_"),
    Moved("model.vision_tower.embeddings.proj.", "vision_tower.vision_model.embeddings.patch_embedding."),
    Moved("model.vision_tower.layers.", "vision_tower.vision_model.encoder.layers."),
    Moved("model.vision_tower.pre_layrnorm.", "vision_tower.vision_model.pre_layrnorm."),
    *stacked("mlp", "w1", "w3", "w2", published="block_sparse_moe"),
    *within("mlp", "block_sparse_moe", ("gate.weight", "shared_experts.down_proj.weight")),
    Renamed("mlp.gate.e_score_correction_bias", "block_sparse_moe.e_score_correction_bias"),
    Joined("mlp.gate_up_proj.weight", ("mlp.gate_proj.weight", "mlp.up_proj.weight")),
    Joined("mlp.shared_experts.gate_up_proj.weight", tuple(f"block_sparse_moe.{one}" for one in _SHARED)),
    *renamed(
        {f"self_attn.indexer.{one}": f"self_attn.index_{one}" for one in ("q_proj", "k_proj", "q_norm", "k_norm")},
        ".weight",
    ),
)
# transformers 5.23 reads experts either way, by their shape, and writes them as they are in memory
_QWEN3_VL_MOE = (
    Turned("mlp.experts.gate_up_proj", "mlp.experts.gate_up_proj", "transposed", ("hidden_size",)),
    Turned("mlp.experts.down_proj", "mlp.experts.down_proj", "transposed", ("moe_intermediate_size",)),
)

FUSED_MULTIMODAL: Mapping[str, Sequence[Rule]] = {
    "aria": (*_LLAVA, *ARIA),
    **dict.fromkeys(
        (
            *("aya_vision", "gemma3", "got_ocr2", "internvl", "llava", "mistral3", "paligemma", "pp_chart2table"),
            "vipllava",
        ),
        _LLAVA,
    ),
    "fuyu": (*_LANGUAGE_MODEL, *_towers("vision_embed_tokens")),
    **dict.fromkeys(("glm4v_moe", "qwen3_5_moe"), QWEN2_MOE),
    "glm5_next": (*QWEN2_MOE, *KIMI_DELTA_ATTENTION, *HYPER_CONNECTIONS),
    **dict.fromkeys(("glmasr", "qwen2_audio", "voxtral", "voxtral_realtime"), _HEARING),
    "lfm3_vl": (*LFM3, Moved("model.vision_tower.patch_embed.", "model.vision_tower.patchifier.")),
    **dict.fromkeys(("llava_next", "llava_next_video", "llava_onevision"), _LLAVA_NEXT),
    "minimax_m3_vl": _MINIMAX_M3,
    "mllama": (*_LANGUAGE_MODEL, *_towers("vision_model", "multi_modal_projector")),
    "paddleocr_vl": (*_QWEN2_VL, Moved("model.projector.", "mlp_AR.")),
    **dict.fromkeys(("qwen2_5_vl", "qwen2_vl"), _QWEN2_VL),
    "qwen3_vl_moe": _QWEN3_VL_MOE,
    "video_llava": (*_LANGUAGE_MODEL, *_towers("image_tower", "video_tower", "multi_modal_projector")),
}
