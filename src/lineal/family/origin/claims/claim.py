"""What a model's files claim of its origin: kind, method and parents by name, from the file that tells most."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import final

from lineal.checkpoint.package import CARD
from lineal.checkpoint.quantized.folder import settings_of
from lineal.checkpoint.quantized.scheme import stored_type
from lineal.checkpoint.reader import ADAPTER_CONFIG, Checkpoint, read_json
from lineal.derivation.canonical import Json
from lineal.derivation.quantization import QuantizationType
from lineal.derivation.step import Kind, Role
from lineal.errors import UsageError
from lineal.family.origin.claims.card import Card, read_card
from lineal.shown import quoted

MERGEKIT_CONFIG = "mergekit_config.yml"
CLAIMED = "claimed"
"""The method of a step whose kind is all that is known."""

_TYPES = tuple(str(kind.value) for kind in QuantizationType)


@final
@dataclass(frozen=True)
class Claim:
    """file: who says so; inputs: in order, models as they are named there."""

    file: Path
    kind: Kind
    method: str
    inputs: tuple[tuple[Role, str], ...]
    options: Mapping[str, Json] = field(default_factory=dict[str, Json])
    version: int = 1


def read_claims(checkpoint: Checkpoint) -> tuple[Claim, ...]:
    """What the files beside a model say, the most telling first; of a lone GGUF nothing is believed but its card."""
    folder = checkpoint.folder
    found = [_of_recipe(folder / MERGEKIT_CONFIG), _of_adapter(folder, checkpoint), _of_card(folder, checkpoint)]
    claims = [claim for claim in found if claim is not None]
    card = read_card(folder)
    if claims and card is not None:
        claims[0] = replace(claims[0], options={**claims[0].options, **_described(card)})
    return tuple(claims)


def _of_recipe(path: Path) -> Claim | None:
    if not path.is_file():
        return None
    from lineal.family.file.located_yaml import Faults, Located, raise_if_any  # with numpy, which cards do without
    from lineal.family.file.mergekit.document import read_document
    from lineal.family.file.mergekit.references import References

    documents = Located.read_all(path)
    if len(documents) != 1:
        raise UsageError(f"{path}: {len(documents)} documents; which of them made this model is not said")
    faults = Faults(documents[0])
    body = faults.mapping(documents[0].value, (), "a recipe")
    read = read_document(body, (), faults, References(faults, lambda model, _revision: model))
    raise_if_any(faults)
    if read is None:
        raise UsageError(f"{path}: not a recipe")
    method, inputs = read
    roles: list[tuple[Role, str]] = [(one.role, one.model) for one in inputs]
    return Claim(path, "merge", method.name, tuple(roles), method.options(), method.version)


def _of_adapter(folder: Path, checkpoint: Checkpoint) -> Claim | None:
    path = folder / ADAPTER_CONFIG
    if checkpoint.form != "adapter" or not path.is_file():
        return None
    config = read_json(path)
    base = config.get("base_model_name_or_path")
    if not isinstance(base, str) or not base:
        return None
    rank = config.get("r")
    options: dict[str, Json] = {"rank": rank} if isinstance(rank, int) and not isinstance(rank, bool) else {}
    method = str(config.get("peft_type") or CLAIMED).lower()
    return Claim(path, "fine-tune", method, (("parent", base),), options)


def _of_card(folder: Path, checkpoint: Checkpoint) -> Claim | None:
    card = read_card(folder)
    if card is None or not card.base_models:
        return None
    several = len(card.base_models) > 1
    relation = card.relation or ("merge" if several else "quantized" if checkpoint.form == "gguf" else "finetune")
    path = folder / CARD
    inputs: tuple[tuple[Role, str], ...] = tuple(("parent", name) for name in card.base_models)
    match relation:
        case "merge":  # of one model: its layers, or an adapter's
            return Claim(path, "merge", CLAIMED if several else "slices", inputs)
        case "quantized" if not several:
            return Claim(path, "quantize", CLAIMED, inputs, {"scheme": _scheme(checkpoint)})
        case _ if not several:
            return Claim(path, "fine-tune", CLAIMED, inputs)
        case _:
            raise UsageError(
                f"{path}: base_model_relation {quoted(relation)} has one base_model, the card names several"
            )


def _described(card: Card) -> dict[str, Json]:
    datasets: list[Json] = list(card.datasets)
    return {
        **({"datasets": datasets} if datasets else {}),
        **({"license": card.license} if card.license is not None else {}),
    }


def _scheme(checkpoint: Checkpoint) -> str:
    """What the weights are stored as, which a card does not say."""
    matrices = Counter(spec.dtype.lower() for spec in checkpoint.values() if len(spec.shape) > 1)
    stored = matrices.most_common(1)[0][0] if matrices else ""
    if checkpoint.form == "gguf" and stored in _TYPES:
        return stored
    settings = {} if checkpoint.form == "gguf" else settings_of(checkpoint.config)
    if settings:
        return stored_type(settings)
    return "fp8" if stored.startswith("f8") else "int8" if stored == "i8" else "dynamic"
