"""Language models and tokenizers from ordinary folders and GGUFs; what does not fit is an error, never a warning."""

import json
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, final

import torch
from huggingface_hub.errors import StrictDataclassError
from peft import PeftModel, get_peft_model_state_dict
from safetensors import SafetensorError
from tokenizers import Tokenizer
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)

from lineal.checkpoint.adapter.adapter import refuse_other_parts
from lineal.checkpoint.names.tied_heads import KEY
from lineal.checkpoint.package import has_tokenizer
from lineal.checkpoint.quantized.folder import is_quantized
from lineal.checkpoint.reader import Checkpoint, open_checkpoint
from lineal.checkpoint.stated_dtype import require_dtype
from lineal.engines.gguf.tokenizer_back import chat_template, special_tokens, tokenizer_json
from lineal.engines.inference.decoded_weights import load_decoded
from lineal.engines.inference.next_token import no_next_token
from lineal.engines.inference.peft_config import left_out, refuse_experts, spelled_out
from lineal.engines.parents.model import full_model
from lineal.engines.parents.stated import config_of
from lineal.engines.silence import silence
from lineal.engines.text.documents import Tokens
from lineal.engines.text.encoding import Encoder
from lineal.errors import CheckpointError

_LOCAL = {"local_files_only": True, "trust_remote_code": False}
_FAULTS = (
    *(OSError, ValueError, RuntimeError, KeyError, TypeError, ImportError, AttributeError, IndexError),
    *(SafetensorError, StrictDataclassError),
)
"""What transformers and PEFT raise for folders they cannot use."""


def load_model(place: Path, base: Path | None = None, dtype: torch.dtype = torch.float32) -> PreTrainedModel:
    """The model on the CPU, for inference; an adapter is combined with its base in float32, not rounded between.

    base: the folder of an adapter's base, a model in full. dtype: what it computes in.
    """
    if full_weights_of(place, base) == place:
        return _load_full(place, dtype)
    adapted = load_adapter(_load_full(cast(Path, base)), place)
    with silence():
        combined = cast(PreTrainedModel, adapted.merge_and_unload(safe_merge=True)).eval()
    for parameter in combined.parameters():
        parameter.data = parameter.data.to(dtype)  # buffers stay as exact as they are
    return combined


@final
@dataclass(frozen=True)
class ModelFolder:
    """A model as it lies on disk; base: the folder of an adapter's base; name: for messages."""

    folder: Path
    base: Path | None = None
    name: str = ""

    @property
    def config(self) -> Mapping[str, Any]:
        """The configuration of the full weights."""
        return config_of(open_checkpoint(full_weights_of(self.folder, self.base)))

    @property
    def adapter(self) -> Checkpoint | None:
        """The model itself, if it is one."""
        return open_checkpoint(self.folder) if self.base is not None else None

    def load(self, dtype: torch.dtype = torch.float32) -> PreTrainedModel:
        return load_model(self.folder, self.base, dtype)

    def tokenizer(self) -> PreTrainedTokenizerBase:
        return load_tokenizer(self.folder, self.base)


def full_weights_of(place: Path, base: Path | None) -> Path:
    """Where the full weights are: the model's own, or its base's if it is an adapter."""
    is_adapter = open_checkpoint(place).form == "adapter"
    if is_adapter and base is None:
        raise CheckpointError(f"{place}: an adapter; the folder of its base is needed with it")
    if not is_adapter and base is not None:
        raise CheckpointError(f"{place}: full weights, not an adapter; it takes no base ({base} was given)")
    return place if base is None else base


def load_adapter(base: PreTrainedModel, folder: Path) -> PeftModel:
    """A PEFT adapter beside the weights of its base; every tensor of its file must find its place."""
    stored = open_checkpoint(folder)
    refuse_other_parts(stored)
    refuse_experts(stored, base)
    absent = left_out(stored, base)
    with silence(), blamed_on(folder):
        model = PeftModel.from_pretrained(base, str(folder), config=spelled_out(stored), local_files_only=True)
    # "auto" would ask the hub whether the base's vocabulary was resized
    expected = get_peft_model_state_dict(model, save_embedding_layers=False)
    _require_none(folder, "have no place in the base", stored.keys() - expected.keys())
    _require_none(folder, "are missing", expected.keys() - stored.keys())
    _require_none(folder, "are missing of layers that it adapts", absent)
    return model.eval()


def load_tokenizer(place: Path, base: Path | None = None) -> PreTrainedTokenizerBase:
    """The model's own tokenizer; an adapter without one has its base's."""
    candidates = [path for path in (place, base) if path is not None]
    for candidate in candidates:
        checkpoint = open_checkpoint(candidate)
        if checkpoint.form == "gguf":
            return _gguf_tokenizer(checkpoint)
        if checkpoint.form == "full":
            require_dtype(checkpoint)
        if has_tokenizer(candidate):
            with silence(), blamed_on(candidate):
                return cast(PreTrainedTokenizerBase, AutoTokenizer.from_pretrained(str(candidate), **_LOCAL))
    raise CheckpointError(f"{' and '.join(map(str, candidates))}: no tokenizer files")


def end_of_document(tokenizer: PreTrainedTokenizerBase, place: Path | str) -> int:
    """The token that ends a document."""
    token = cast(Any, tokenizer).eos_token_id
    if not isinstance(token, int):
        raise CheckpointError(f"{place}: the tokenizer has no end-of-text token, which separates documents")
    return token


def encode(tokenizer: PreTrainedTokenizerBase, documents: Sequence[str]) -> list[Tokens]:
    """Token ids of each document, with the special tokens that the tokenizer itself puts around a text, once."""
    return Encoder(tokenizer).documents(documents)


def context_length(model: PreTrainedModel) -> int | None:
    """The positions that the model was made for; None where its configuration sets no bound."""
    bound = model.config.get_text_config().to_dict().get("max_position_embeddings")
    return bound if isinstance(bound, int) else None


def _load_full(place: Path, dtype: torch.dtype = torch.float32) -> PreTrainedModel:
    checkpoint = open_checkpoint(place)
    if checkpoint.form == "adapter":
        raise CheckpointError(f"{place}: an adapter where full weights are needed")
    if checkpoint.form == "gguf":
        return _load_decoded(checkpoint, config_of(checkpoint)["model_type"], dtype)
    require_dtype(checkpoint)
    model_type = checkpoint.config.get("model_type")
    if not model_type:
        raise CheckpointError(f"{place / 'config.json'}: no model_type")
    if why := no_next_token(checkpoint.config):
        raise CheckpointError(f"{place}: {why}")
    if is_quantized(checkpoint):  # transformers would need the format's library, and quantize activations, too
        return _load_decoded(checkpoint, model_type, dtype)
    with silence(), blamed_on(place):
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            str(place),
            dtype=dtype,
            use_safetensors=True,
            ignore_mismatched_sizes=True,  # _checked names them; transformers would name none
            output_loading_info=True,
            **_LOCAL,
        )
    model = _checked(place, model_type, loaded)
    for vector in (parameter for parameter in model.parameters() if parameter.ndim < 2):
        vector.data = vector.data.clone()  # often stored as float32: one that needs no copy keeps all of a file mapped
    return model


def _load_decoded(checkpoint: Checkpoint, model_type: str, dtype: torch.dtype) -> PreTrainedModel:
    """The weights as they are decoded for any verb; transformers drops biases and rotary divisors of GGUFs."""
    model = full_model(str(checkpoint.path), checkpoint)
    with silence(), blamed_on(checkpoint.path):
        loaded = load_decoded(model, dtype)
    return _checked(checkpoint.path, model_type, loaded)


def _gguf_tokenizer(checkpoint: Checkpoint) -> PreTrainedTokenizerBase:
    roles = {f"{role}_token": token for role, (token, _) in special_tokens(checkpoint).items()}
    written = json.dumps(tokenizer_json(checkpoint))
    try:
        tokenizer = Tokenizer.from_str(written)
    except Exception as error:  # tokenizers raises nothing narrower
        raise CheckpointError(f"{checkpoint.path}: its tokenizer cannot be built: {error}") from error
    with silence(), blamed_on(checkpoint.path):
        return PreTrainedTokenizerFast(
            tokenizer_object=tokenizer,
            clean_up_tokenization_spaces=False,
            chat_template=chat_template(checkpoint),
            **roles,
        )


def _checked(place: Path, model_type: str, loaded: Any) -> PreTrainedModel:
    """The model, if every tensor found its place and none is missing."""
    model, info = cast(tuple[PreTrainedModel, dict[str, Any]], loaded)
    _require_none(place, f"are missing of a {model_type}", info["missing_keys"])
    _require_none(place, f"are unknown to a {model_type}", info["unexpected_keys"])
    _require_none(
        place,
        "differ in shape from the configuration",
        [f"{name} {list(stored)}, not {list(wanted)}" for name, stored, wanted in info["mismatched_keys"]],
    )
    for fault in (*info["error_msgs"], *info.get("conversion_errors", {}).values()):
        raise CheckpointError(f"{place}: {fault}")
    return _says_what_it_holds(model).eval()


def _says_what_it_holds(model: PreTrainedModel) -> PreTrainedModel:
    """transformers keeps a stored head that differs from the embedding, and leaves a config that says they are one."""
    pair = [cast(Any, module) for module in (model.get_input_embeddings(), model.get_output_embeddings())]
    if getattr(model.config, KEY, False) and None not in pair and pair[0].weight is not pair[1].weight:
        for config in {id(one): one for one in (model.config, model.config.get_text_config())}.values():
            setattr(config, KEY, False)
    return model


def _require_none(place: Path, what: str, found: Iterable[str]) -> None:
    names = sorted(found)
    if names:
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        raise CheckpointError(f"{place}: tensors {what}: {names[0]}{more}")


@contextmanager
def blamed_on(place: Path) -> Generator[None]:
    """A library's fault with a model, as lineal's error that names it."""
    try:
        yield
    except _FAULTS as error:
        lines = (str(error).strip() or repr(error)).splitlines()
        said = lines[-1] if isinstance(error, StrictDataclassError) else lines[0]  # the first names the validator
        raise CheckpointError(f"{place}: {said.strip()}") from error
    except Exception as error:
        if type(error) is not Exception:  # which is what tokenizers raises for a file that it cannot read
            raise
        raise CheckpointError(f"{place}: {error}") from error
