"""Small Llamas whose tokenizer puts a token of its own before or behind every text."""

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from tests.engines.tiny_models import CONFIG, make_documents

TEMPLATE = "{{ bos_token }}{% for m in messages %}[{{ m['role'] }}] {{ m['content'] }}\n{% endfor %}"
SPECIAL = ("<bos>", "<eos>", "<turn>")


def bordered_model(folder: Path, *, bos: bool = False, eos: bool = False, **changes: Any) -> Path:
    """A random model of 300 words in float32, with a chat template that begins with <bos>."""
    _tokenizer(bos=bos, eos=eos).save_pretrained(folder)
    torch.manual_seed(0)
    fields = {**CONFIG, "vocab_size": 300, "bos_token_id": 0, "eos_token_id": 1, **changes}
    del fields["model_type"]
    model = LlamaForCausalLM(LlamaConfig(**fields))
    for parameter in model.parameters():
        parameter.data.mul_(3)
    model.save_pretrained(folder)
    return folder


def _tokenizer(*, bos: bool, eos: bool) -> PreTrainedTokenizerFast:
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)  # pyright: ignore[reportAttributeAccessIssue]
    inner.decoder = decoders.ByteLevel()  # pyright: ignore[reportAttributeAccessIssue]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=list(SPECIAL), initial_alphabet=alphabet, show_progress=False
    )
    inner.train_from_iterator(make_documents(0), trainer)
    if bos or eos:
        single = f"{'<bos> ' * bos}$A{' <eos>' * eos}"
        inner.post_processor = processors.TemplateProcessing(  # pyright: ignore[reportAttributeAccessIssue]
            single=single, pair="$A $B", special_tokens=[("<bos>", 0), ("<eos>", 1)]
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        bos_token="<bos>",
        eos_token="<eos>",
        chat_template=TEMPLATE,
        clean_up_tokenization_spaces=False,
    )


def lines_of(path: Path, texts: list[str]) -> Path:
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
    return path
