"""Text from a model, piece by piece."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from lineal.engines.inference.language_model import context_length, load_model, load_tokenizer
from lineal.engines.text.encoding import Encoder, Remark
from lineal.errors import MethodError

_UNFINISHED = "\ufffd"
"""What a tokenizer decodes the first bytes of a character to."""


def generate(
    model_folder: Path,
    prompt: str,
    max_new_tokens: int = 100,
    *,
    base_folder_for_adapter: Path | None = None,
    temperature: float = 0.0,
    top_p: float = 1.0,
    seed: int = 42,
    remark: Remark | None = None,
) -> Iterator[str]:
    """The continuation of the prompt in pieces as they come; it ends at the end of text or after max_new_tokens.

    temperature: 0 takes the likeliest token each time. top_p: draw from the likeliest tokens that together have this
    probability.
    """
    if max_new_tokens < 1 or not 0 <= temperature < float("inf") or not 0 < top_p <= 1:
        raise MethodError(
            "generation: max_new_tokens at least 1, temperature finite and at least 0 and top_p in (0, 1] are needed, "
            f"got {max_new_tokens}, {temperature} and {top_p}"
        )
    tokenizer = load_tokenizer(model_folder, base_folder_for_adapter)
    tokens = Encoder(tokenizer, remark).prompt(prompt)
    if not tokens:
        raise MethodError("generation: the prompt is empty; at least one token is needed to continue")
    model = load_model(model_folder, base_folder_for_adapter)
    bound = context_length(model)
    if bound is not None and len(tokens) + max_new_tokens > bound:
        raise MethodError(
            f"generation: {len(tokens)} tokens of prompt and {max_new_tokens} new ones are more than the model's "
            f"{bound} positions"
        )
    drawing = torch.Generator().manual_seed(seed)
    drawn = _continue(model, tokens, max_new_tokens, temperature, top_p, drawing)
    return _pieces(tokenizer, tokens, drawn, _ends(tokenizer, model))


def _continue(
    model: PreTrainedModel, prompt: list[int], count: int, temperature: float, top_p: float, drawing: torch.Generator
) -> Iterator[int]:
    """Up to `count` tokens; the keys and values of earlier ones are kept, so each step reads one token."""
    inputs, cache = torch.tensor([prompt]), None
    for _ in range(count):
        with torch.inference_mode():
            output = model(input_ids=inputs, past_key_values=cache, use_cache=True)
        token = _choose(output.logits[0, -1].float(), temperature, top_p, drawing)
        yield token
        inputs, cache = torch.tensor([[token]]), output.past_key_values


def _choose(logits: Tensor, temperature: float, top_p: float, drawing: torch.Generator) -> int:
    if temperature == 0:
        return int(logits.argmax())
    probabilities, tokens = torch.softmax(logits / temperature, -1).sort(descending=True, stable=True)
    before = probabilities.cumsum(-1) - probabilities
    kept = torch.where(before < top_p, probabilities, 0.0)
    return int(tokens[torch.multinomial(kept, 1, generator=drawing)])


def _ends(tokenizer: PreTrainedTokenizerBase, model: PreTrainedModel) -> frozenset[int]:
    """Every token that ends a text: chat models end a turn with another one than a document."""
    said = (cast(Any, tokenizer), cast(Any, model.generation_config), model.config.get_text_config())
    found = [getattr(one, "eos_token_id", None) for one in said]
    tokens = [token for ends in found for token in (cast(list[int], ends) if isinstance(ends, list) else [ends])]
    return frozenset(token for token in tokens if token is not None)


def _pieces(
    tokenizer: PreTrainedTokenizerBase, prompt: list[int], tokens: Iterator[int], ends: frozenset[int]
) -> Iterator[str]:
    """What each token adds to the text; a character whose bytes are still coming waits for the rest of them."""
    read = list(prompt)  # a token's text depends on what stands before it
    shown = text = _decode(tokenizer, read)
    for token in tokens:
        if token in ends:
            break
        read.append(token)
        text = _decode(tokenizer, read)
        if not text.endswith(_UNFINISHED):
            yield text[len(shown) :]
            shown = text
    if text != shown:
        yield text[len(shown) :]


def _decode(tokenizer: PreTrainedTokenizerBase, tokens: list[int]) -> str:
    return cast(str, tokenizer.decode(tokens, clean_up_tokenization_spaces=False))
