"""What a walk is made of: the model without weights, the samples of a text, the plan of what is walked."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, final

from lineal.engines.calibrate.decoder import Decoder
from lineal.engines.calibrate.plan import WalkPlan, plan_walk
from lineal.engines.calibrate.samples import check_tokens, read_samples
from lineal.engines.inference.language_model import load_tokenizer
from lineal.engines.parents.model import Model
from lineal.engines.stream.plan import StreamPlan
from lineal.engines.text.documents import Tokens
from lineal.engines.text.encoding import Remark
from lineal.methods.calibrated import CalibratedMethod


@final
class Prepared(NamedTuple):
    """In the order in which a walk takes them."""

    decoder: Decoder
    samples: Tokens
    plan: WalkPlan


def prepared(
    method: CalibratedMethod, model: Model, texts: Sequence[Path], plan: StreamPlan, remark: Remark
) -> Prepared:
    """Read the texts with the model's own tokenizer; everything that stands against the walk is told here."""
    walk, decoder = plan_walk(model, plan), Decoder(model)
    method.check_positions(decoder.positions)
    tokenizer = load_tokenizer(tokenizer_place(model))
    samples = read_samples(method, texts, tokenizer, remark)
    check_tokens(method.name, samples, decoder.rows, tokenizer, model.name)
    return Prepared(decoder, samples, walk)


def tokenizer_place(model: Model) -> Path:
    """The GGUF, or the folder with the tokenizer's files."""
    return model.checkpoint.path if model.checkpoint.form == "gguf" else model.tokenizer_folder
