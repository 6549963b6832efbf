"""Readers of other people's files: of a wrong value at any key they make an answer or one error, no traceback."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from gguf import GGUFValueType

from lineal.checkpoint.adapter.adapter import low_rank_updates
from lineal.checkpoint.adapter.choice import Choice
from lineal.checkpoint.content.hashing import hash_folder
from lineal.checkpoint.content.identity import manifest_of
from lineal.checkpoint.content.inclusion import prove_inclusion
from lineal.checkpoint.licence.texts import stated_licence
from lineal.checkpoint.reader import open_checkpoint
from lineal.engines.inference.text_borders import possible_borders
from lineal.engines.merge.plan import plan_merge, plan_recipe
from lineal.engines.parents.model import full_model
from lineal.engines.prune.plan import plan_pruning
from lineal.engines.quantize.gguf_plan import plan_gguf
from lineal.engines.stream.plan import StreamPlan
from lineal.engines.text.documents import read_documents
from lineal.errors import LinealError
from lineal.family.file.read import read_family
from lineal.family.origin.claims.claim import read_claims
from lineal.lineage.records.lineal_json import read_provenance, record_path, write_provenance
from lineal.lineage.records.proof_json import proof_as_json, read_proof
from lineal.methods.merge.linear import Linear
from lineal.methods.prune.magnitude import MagnitudePruning
from lineal.methods.quantize.gguf import GgufQuantization
from lineal.methods.recipe.recipe import MergeRecipe, Part, Stretch, Vocabulary
from tests.builders import make_adapter, write_header
from tests.ggufs import write_gguf
from tests.lineage.test_lineal_json import provenance
from tests.llamas import CONFIG, byte_level_bpe, make_llama
from tests.readers.wrong import WRONG, changes, faults

SLICES = MergeRecipe(
    method="passthrough",
    parts=(
        Part(models=(Stretch(model=0, blocks=(0, 1)),)),
        Part(models=(Stretch(model=0, blocks=(0, 2)),)),
    ),
)


def planned(folder: Path) -> None:
    """Whatever derives from a folder alone: each way that is refused leaves the others to be tried."""
    _ = hash_folder(folder)
    for plan in (
        lambda: plan_merge(Linear(), [full_model("a", open_checkpoint(folder))] * 2),
        lambda: plan_recipe(SLICES, [full_model("a", open_checkpoint(folder))]),
        lambda: plan_gguf(GgufQuantization(scheme="q8_0"), full_model("a", open_checkpoint(folder))),
        lambda: plan_pruning(MagnitudePruning(sparsity=0.5), full_model("a", open_checkpoint(folder))),
    ):
        _tried(plan)
    checkpoint = open_checkpoint(folder)
    for read in (read_claims, stated_licence):
        _tried(lambda read=read: read(checkpoint))
    _tried(lambda: possible_borders(folder))


def _tried(ask: Callable[[], object]) -> None:
    try:
        made = ask()
        if isinstance(made, StreamPlan):
            _ = made.child.package()
    except LinealError as error:
        assert all(line.isprintable() for line in error.lines), error.args


def written(path: Path) -> Callable[[Any], object]:
    return lambda document: path.write_text(json.dumps(document))


@pytest.fixture
def llama(tmp_path: Path) -> Path:
    return make_llama(tmp_path / "llama")


CONFIGS: dict[str, dict[str, Any]] = {
    "llama": {
        **CONFIG,
        "rope_parameters": {"rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0},
        "torch_dtype": "float32",
        "head_dim": 16,
        "architectures": ["LlamaForCausalLM"],
        "bos_token_id": 1,
        "eos_token_id": [2, 3],
        "_name_or_path": "org/base",
    },
    "layers": {**CONFIG, "model_type": "qwen2", "layer_types": ["full_attention"] * 2, "max_window_layers": 2},
    "windows": {
        **CONFIG,
        "model_type": "gemma3_text",
        "layer_types": ["sliding_attention"] * 2,
        "sliding_window": 8,
        "rope_parameters": {"full_attention": {"rope_theta": 1e6}, "sliding_attention": {"rope_type": "default"}},
        "query_pre_attn_scalar": 16,
        "final_logit_softcapping": 30.0,
        "sliding_window_pattern": 6,
    },
    "experts": {**CONFIG, "model_type": "qwen3_moe", "mlp_only_layers": [], "num_experts": 2, "norm_topk_prob": True},
    "factors": {
        **CONFIG,
        "model_type": "phi3",
        "original_max_position_embeddings": 16,
        "partial_rotary_factor": 1.0,
        "rope_scaling": {"type": "longrope", "short_factor": [1.0] * 8, "long_factor": [2.0] * 8},
    },
    "positions": {**CONFIG, "model_type": "smollm3", "no_rope_layers": [1, 1], "no_rope_layer_interval": 4},
    "codes": {**CONFIG, "quantization_config": {"quant_method": "fp8", "weight_block_size": [128, 128]}},
    "nested": {"model_type": "gemma3", "text_config": {**CONFIG, "model_type": "gemma3_text"}},
}


@pytest.mark.parametrize("kind", CONFIGS)
def test_config_json(llama: Path, kind: str) -> None:
    found = faults(CONFIGS[kind], written(llama / "config.json"), lambda: planned(llama))
    assert not found, "\n".join(found)


TOKENIZERS: dict[str, Any] = {
    "tokenizer.json": {
        **byte_level_bpe(),
        "added_tokens": [{"id": 271, "content": "<|endoftext|>", "special": True, "normalized": False}],
    },
    "tokenizer_config.json": {
        "eos_token": {"content": "<|endoftext|>"},
        "bos_token": "<|endoftext|>",
        "added_tokens_decoder": {"271": {"content": "<|endoftext|>", "special": True}},
        "chat_template": [{"name": "default", "template": "{{ messages }}"}],
        "add_bos_token": True,
        "model_max_length": 128,
    },
    "special_tokens_map.json": {"eos_token": {"content": "<|endoftext|>"}, "additional_special_tokens": ["<x>"]},
    "added_tokens.json": {"<x>": 271},
    "generation_config.json": {"eos_token_id": [1, 2], "bos_token_id": 1, "temperature": 0.7},
    "chat_template.json": {"chat_template": "{{ messages }}"},
}


@pytest.mark.parametrize("file", TOKENIZERS)
def test_tokenizer_files(llama: Path, tmp_path: Path, file: str) -> None:
    other = make_llama(tmp_path / "other", seed=2)
    recipe = MergeRecipe(
        method="linear",
        parts=(Part(models=(Stretch(model=0), Stretch(model=1))),),
        vocabulary=Vocabulary(tokenizer=0, union=True),
        chat_template="auto",
    )

    def ask() -> None:
        planned(llama)
        for models in ((llama, other), (other, llama)):
            opened = [full_model(folder.name, open_checkpoint(folder)) for folder in models]
            _tried(lambda opened=opened: plan_merge(Linear(), opened))
            _tried(lambda opened=opened: plan_recipe(recipe, opened))

    found = faults(TOKENIZERS[file], written(llama / file), ask)
    assert not found, "\n".join(found)


def test_the_index_of_shards(tmp_path: Path) -> None:
    folder = make_llama(tmp_path / "llama", shards=2)
    index = folder / "model.safetensors.index.json"
    document = json.loads(index.read_text())
    document["weight_map"] = dict(list(document["weight_map"].items()))
    found = faults(
        {**document, "weight_map": document["weight_map"]}, written(index), lambda: _tried(lambda: hash_folder(folder))
    )
    assert not found, "\n".join(found)


def test_the_header_of_safetensors(llama: Path) -> None:
    entries = {"a": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}}
    document = {"__metadata__": {"format": "pt"}, **entries}

    def write(changed: Any) -> None:
        write_header(llama / "model.safetensors", changed, bytes(16))

    found = faults(document, write, lambda: _tried(lambda: planned(llama)))
    assert not found, "\n".join(found)


def test_adapter_config_json(llama: Path) -> None:
    q = "model.layers.0.self_attn.q_proj"
    pair = (np.ones((2, 64), np.float32), np.ones((64, 2), np.float32))
    adapter = make_adapter(llama.parent / "adapter", {q: pair})
    document = {
        **json.loads((adapter / "adapter_config.json").read_text()),
        "target_modules": ["q_proj"],
        "target_parameters": ["v_proj.weight"],
        "peft_version": "0.21.2",
        "exclude_modules": ["k_proj"],
        "modules_to_save": None,
        "rank_pattern": {"q_proj": 2},
        "alpha_pattern": {"q_proj": 3},
        "layers_to_transform": [0],
        "init_lora_weights": True,
        "use_rslora": False,
        "base_model_name_or_path": "org/base",
        "revision": "main",
    }

    def ask() -> None:
        _tried(lambda: hash_folder(adapter))
        checkpoint = open_checkpoint(adapter)
        _tried(lambda: low_rank_updates(checkpoint, open_checkpoint(llama), open_checkpoint(llama).config))
        _tried(lambda: Choice(checkpoint).holds(q))
        _tried(lambda: read_claims(checkpoint))
        _tried(lambda: plan_merge(Linear(), [full_model("a", open_checkpoint(llama), checkpoint)]))

    found = faults(document, written(adapter / "adapter_config.json"), ask)
    assert not found, "\n".join(found)


def test_the_front_matter_of_a_card(llama: Path) -> None:
    document = {
        "license": "mit",
        "base_model": ["org/a"],
        "base_model_relation": "merge",
        "datasets": ["d"],
        "tags": ["x"],
    }

    def write(changed: Any) -> None:
        try:
            matter = yaml.safe_dump(changed)
        except yaml.YAMLError:
            return
        (llama / "README.md").write_text(f"---\n{matter}---\n", errors="surrogatepass")

    found = faults(document, write, lambda: planned(llama))
    assert not found, "\n".join(found)


KINDS: tuple[tuple[Any, ...], ...] = (
    (GGUFValueType.UINT32, 0),
    (GGUFValueType.UINT32, 2**32 - 1),
    (GGUFValueType.INT32, -1),
    (GGUFValueType.UINT64, 2**64 - 1),
    (GGUFValueType.FLOAT32, float("nan")),
    (GGUFValueType.FLOAT64, 1e308),
    (GGUFValueType.BOOL, True),
    (GGUFValueType.STRING, ""),
    (GGUFValueType.STRING, "x\x1b\n"),
    (GGUFValueType.ARRAY, [1, 2], GGUFValueType.UINT32),
    (GGUFValueType.ARRAY, ["a", ""], GGUFValueType.STRING),
    (GGUFValueType.ARRAY, [0.5], GGUFValueType.FLOAT32),
)


def test_the_keys_of_a_gguf(tmp_path: Path) -> None:
    made = plan_gguf(GgufQuantization(scheme="q8_0"), full_model("a", open_checkpoint(make_llama(tmp_path / "llama"))))
    assert made.child is not None
    metadata = _gguf_metadata()
    tensors = {"token_embd.weight": (np.ones((272, 64), np.float32), "F32")}
    found: list[str] = []
    place = tmp_path / "x.gguf"

    def ask() -> None:
        checkpoint = open_checkpoint(place)
        _tried(lambda: hash_folder(place))
        _tried(lambda: plan_merge(Linear(), [full_model("a", checkpoint)] * 2))
        _tried(lambda: stated_licence(checkpoint))
        _tried(lambda: read_claims(checkpoint))

    for key in metadata:
        for kind in KINDS:
            if key == "general.architecture" and kind[0] is not GGUFValueType.STRING:
                continue
            write_gguf(place, tensors, {**metadata, key: kind})
            try:
                ask()
            except LinealError:
                pass
            except Exception as error:  # noqa: BLE001 - that is what is looked for
                found.append(f"{key} = {kind}: {type(error).__name__}: {error}")
    assert not found, "\n".join(found)


def _gguf_metadata() -> dict[str, Any]:
    integer, text, floating, items = (
        GGUFValueType.UINT32,
        GGUFValueType.STRING,
        GGUFValueType.FLOAT32,
        GGUFValueType.ARRAY,
    )
    return {
        "general.architecture": (text, "llama"),
        "general.name": (text, "x"),
        "general.license": (text, "mit"),
        "general.file_type": (integer, 7),
        "general.alignment": (integer, 32),
        "general.base_model.count": (integer, 1),
        "general.base_model.0.repo_url": (text, "https://huggingface.co/org/a"),
        "split.count": (GGUFValueType.UINT16, 1),
        "llama.block_count": (integer, 1),
        "llama.embedding_length": (integer, 64),
        "llama.feed_forward_length": (integer, 96),
        "llama.context_length": (integer, 128),
        "llama.attention.head_count": (integer, 4),
        "llama.attention.head_count_kv": (integer, 2),
        "llama.attention.layer_norm_rms_epsilon": (floating, 1e-5),
        "llama.rope.freq_base": (floating, 10000.0),
        "llama.rope.dimension_count": (integer, 16),
        "llama.rope.scaling.type": (text, "linear"),
        "llama.rope.scaling.factor": (floating, 2.0),
        "llama.vocab_size": (integer, 272),
        "tokenizer.ggml.model": (text, "gpt2"),
        "tokenizer.ggml.pre": (text, "gpt-2"),
        "tokenizer.ggml.tokens": (items, [f"t{n}" for n in range(272)], text),
        "tokenizer.ggml.merges": (items, ["t 1"], text),
        "tokenizer.ggml.token_type": (items, [1] * 272, GGUFValueType.INT32),
        "tokenizer.ggml.bos_token_id": (integer, 1),
        "tokenizer.ggml.eos_token_id": (integer, 2),
        "tokenizer.ggml.add_bos_token": (GGUFValueType.BOOL, True),
        "tokenizer.chat_template": (text, "{{ messages }}"),
    }


FAMILY: dict[str, Any] = {
    "family": "f",
    "models": {
        "a": {"original": {"path": "./a"}},
        "b": {"finetune": {"parent": "a", "method": "lora", "rank": 4, "data": "x.jsonl", "tokens": "1k", "seed": 1}},
        "c": {"merge": {"method": "ties", "base": "a", "parents": ["a", "b"], "density": 0.2, "weights": [1, 2]}},
        "d": {"prune": {"parent": "c", "sparsity": 0.5}},
        "e": {"quantize": {"parent": "c", "scheme": "q8_0"}},
        "g": {"distill": {"student": "a", "teachers": ["c"], "data": ["x.jsonl"], "temperature": 2.0}},
        "m": {
            "merge": {
                "merge_method": "linear",
                "slices": [{"sources": [{"model": "a", "layer_range": [0, 1], "parameters": {"weight": [1, 0.5]}}]}],
                "parameters": {"normalize": True, "weight": [{"filter": "mlp", "value": 1.0}]},
                "tokenizer": {"source": "union", "tokens": {"<x>": {"source": {"kind": "zero"}, "force": True}}},
                "chat_template": "auto",
                "dtype": "float32",
            }
        },
    },
    "licences": {"data": {"x.jsonl": "mit"}, "models": {"a": {"override": "mit", "because": "agreed"}}},
    "evaluate": {"data": {"t": "x.txt"}},
}


def test_family_files(tmp_path: Path) -> None:
    path = tmp_path / "family.yaml"

    def write(changed: Any) -> None:
        path.write_text(yaml.safe_dump(changed, allow_unicode=True), errors="backslashreplace")

    found = faults(FAMILY, write, lambda: _tried(lambda: read_family(path)))
    assert not found, "\n".join(found)


def test_proofs(llama: Path) -> None:
    manifest = hash_folder(llama).manifest
    document: Any = proof_as_json(prove_inclusion(manifest_of(manifest.leaves, manifest.package), "lm_head.weight"))
    path = llama / "proof.json"
    found = faults(document, written(path), lambda: _tried(lambda: read_proof(path)[0].model_hash))
    assert not found, "\n".join(found)


def test_records(llama: Path) -> None:
    write_provenance(llama, provenance(llama, "full"))
    document = json.loads(record_path(llama).read_text())
    document["tensors"] = dict(list(document["tensors"].items())[:2])
    found: list[str] = []
    for place, value, changed in changes(document):
        written(record_path(llama))(changed)
        try:
            _ = read_provenance(llama)
        except LinealError as error:
            assert all(line.isprintable() for line in error.lines)
        except Exception as error:  # noqa: BLE001 - that is what is looked for
            found.append(f"{place} = {value!r}: {type(error).__name__}: {error}")
    assert not found, "\n".join(found)


@pytest.mark.parametrize("value", WRONG, ids=repr)
def test_lines_of_data(tmp_path: Path, value: Any) -> None:
    path = tmp_path / "x.jsonl"
    for line in ({"text": value}, value, {"text": "good", "more": value}):
        path.write_text(json.dumps(line) + "\n")
        try:
            for document in read_documents(path):
                _ = document.encode()
        except LinealError as error:
            assert all(part.isprintable() for part in error.lines)
