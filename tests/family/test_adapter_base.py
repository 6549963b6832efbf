"""Which base an adapter from elsewhere is run on."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from lineal.engines.inference.language_model import load_model
from lineal.errors import CheckpointError, UsageError
from lineal.family.build.evaluation import Asked, settings_of
from lineal.family.origin.adapter_base import with_base
from lineal.family.session import LocalModel, Session, register
from lineal.lineage.records.records import Name
from tests.engines.tiny_models import make_model

pytestmark = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # PEFT on transformers 5.23


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return make_model(tmp_path / "base", tie_word_embeddings=False)


def adapter_claiming(base: Path, claim: str, targets: list[str] | None = None, **options: object) -> Path:
    """As PEFT writes it, without a record."""
    settings = LoraConfig(r=2, target_modules=targets or ["q_proj"], init_lora_weights=False, **options)  # type: ignore[arg-type]
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(base), settings)
    folder = base.parent / "adapter"
    model.save_pretrained(folder, save_embedding_layers=False)
    path = folder / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "base_model_name_or_path": claim}))
    return folder


def placed_at(session: Session, folder: Path) -> LocalModel:
    return session.identify(session.open(folder.name, folder))


def test_a_base_that_is_only_claimed_is_tried_as_a_path_and_as_a_known_name(session: Session, base: Path) -> None:
    adapter = placed_at(session, adapter_claiming(base, str(base)))
    by_path = with_base(session, adapter).base
    assert by_path is not None
    assert by_path.folder.resolve() == base.resolve()
    model = register(session, placed_at(session, base))
    session.registry.set_name(Name("org", "model", model))
    by_name = with_base(session, placed_at(session, adapter_claiming(base, "org/model"))).base
    assert by_name is not None
    assert by_name.model_hash == model


def test_a_claimed_base_is_found_in_the_hubs_cache(
    session: Session, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = "1" * 40
    cached = tmp_path / "hub" / "models--org--model"
    shutil.copytree(base, cached / "snapshots" / commit)
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text(commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    found = with_base(session, placed_at(session, adapter_claiming(base, "org/model"))).base
    assert found is not None
    assert found.folder == cached / "snapshots" / commit


def test_a_base_that_is_nowhere_is_asked_for_and_one_that_is_named_is_taken(session: Session, base: Path) -> None:
    adapter = placed_at(session, adapter_claiming(base, "org/model"))
    with pytest.raises(CheckpointError, match=r"names the base 'org/model'.*give it with --base MODEL"):
        with_base(session, adapter)
    named = with_base(session, adapter, f"{base}")
    assert named.base is not None
    assert settings_of(named, Asked()) == {"context": 32, "base": f"b3:{named.base.model_hash.hex()}"}
    with pytest.raises(UsageError, match="and this is none"):
        with_base(session, placed_at(session, base), f"{base}")


@pytest.mark.parametrize(
    ("targets", "options", "said"),
    [
        (["embed_tokens"], {}, r"adapts model\.embed_tokens, which is not a linear layer"),
        (["q_proj"], {"modules_to_save": ["lm_head"]}, r"trains lm_head whole \(modules_to_save\)"),
    ],
)
def test_what_is_no_linear_layer_is_named_with_what_to_do(
    base: Path, targets: list[str], options: dict[str, object], said: str
) -> None:
    adapter = adapter_claiming(base, "org/model", targets, **options)
    with pytest.raises(CheckpointError, match=f"{said}.*merge_and_unload"):
        load_model(adapter, base)


def test_an_adapter_on_a_head_of_its_own_is_taken(base: Path) -> None:
    adapter, tokens = adapter_claiming(base, "org/model", ["lm_head"]), torch.arange(8)[None]
    with torch.no_grad():
        assert not torch.equal(load_model(adapter, base)(tokens).logits, load_model(base)(tokens).logits)
