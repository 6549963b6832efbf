"""Small tokenizers in SentencePiece's way, as those of Llama, Mistral, Gemma and Phi-3 look in a tokenizer.json."""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pydoc_data.topics import topics
from typing import Any

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

from tests.llamas import added

SPACE, ALONE = "▁", ("<unk>", "<s>", "</s>", "<|endoftext|>")
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
PREPEND = {"type": "Prepend", "prepend": SPACE}
REPLACE = {"type": "Replace", "pattern": {"String": " "}, "content": SPACE}
PREFIXED = {"type": "Sequence", "normalizers": [PREPEND, REPLACE]}
GEMMA_SPLIT = {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False}
CORPUS = [*topics.values()][:12] + ["世界 世界 你好 世 好  \n\n    é à é à naïve café naïve café" for _ in range(20)]


def metaspace(scheme: str, *, split: bool) -> dict[str, Any]:
    return {"type": "Metaspace", "replacement": SPACE, "prepend_scheme": scheme, "split": split}


def decoder(*, prefix: bool) -> dict[str, Any]:
    spaces = {"type": "Replace", "pattern": {"String": SPACE}, "content": " "}
    first = [{"type": "Strip", "content": " ", "start": 1, "stop": 0}] if prefix else []
    return {"type": "Sequence", "decoders": [spaces, {"type": "ByteFallback"}, {"type": "Fuse"}, *first]}


@cache
def _trained(*, words: bool) -> str:
    """Merges over words, or within them alone."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Replace(" ", SPACE)
    if words:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never", split=True)
    trainer = trainers.BpeTrainer(vocab_size=900, special_tokens=[*ALONE, *BYTES], show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer.to_str()


def pieces(*, words: bool = True, more: Sequence[Mapping[str, Any]] = (), **changes: Any) -> dict[str, Any]:
    """A tokenizer.json with Llama's steps; more: added tokens; model: changes to the model, others to the file."""
    found: dict[str, Any] = json.loads(_trained(words=words))
    model = {**found["model"], **changes.pop("model", {})}
    tokens = [*(added(index, token) for index, token in enumerate(ALONE)), *more]
    steps = {"normalizer": PREFIXED, "pre_tokenizer": None, "post_processor": None, "added_tokens": tokens}
    steps["decoder"] = decoder(prefix="normalizer" not in changes)
    return {**found, **steps, "model": model, **changes}


def with_all_halves(tokenizer: dict[str, Any]) -> dict[str, Any]:
    """As transformers makes merges of SentencePiece's scores: every pair of tokens that is a token, by that one's
    score. Runs of spaces have one score, the lowest.
    """
    vocabulary = dict(tokenizer["model"]["vocab"])
    for length in (2, 3, 4, 5, 7, 8):
        vocabulary.setdefault(SPACE * length, len(vocabulary))
    made = ["".join(pair) for pair in tokenizer["model"]["merges"] if set("".join(pair)) != {SPACE}]
    scores = {token: -index for index, token in reversed([*enumerate(made)])}
    scores |= {SPACE * length: -len(vocabulary) for length in (2, 3, 4, 5, 7, 8)}
    halves = [
        (token[:at], token[at:], score)
        for token, score in scores.items()
        for at in range(1, len(token))
        if token[:at] in vocabulary and token[at:] in vocabulary
    ]
    halves.sort(key=lambda half: (half[2], len(half[0]), len(half[1])), reverse=True)
    merges = [[left, right] for left, right, _ in halves]
    return {**tokenizer, "model": {**tokenizer["model"], "vocab": vocabulary, "merges": merges}}


def _behind(first: int, contents: Sequence[str], **flags: Any) -> list[dict[str, Any]]:
    return [added(first + index, content, **flags) for index, content in enumerate(contents)]


SIZE = 900
PIECES: dict[str, dict[str, Any]] = {
    "llama": pieces(),
    "over-words": pieces(words=False),
    "sentencepiece": with_all_halves(pieces()),
    "words": pieces(normalizer=None, pre_tokenizer=metaspace("never", split=True)),
    "no-prefix": pieces(words=False, normalizer=None, pre_tokenizer=metaspace("never", split=False)),
    "gemma": pieces(
        words=False,
        normalizer=REPLACE,
        pre_tokenizer=GEMMA_SPLIT,
        more=[
            *_behind(SIZE, ["\n\n\n", "<table>", "<end_of_turn>"], special=False),
            added(SIZE + 3, "<start_of_turn>"),
        ],
    ),
    "phi-3": pieces(
        more=[
            *_behind(SIZE, ["<|user|>", "<|end|>", "<|assistant|>"], rstrip=True),
            added(SIZE + 3, "<think>", special=False, rstrip=True),
        ]
    ),
}
for _token in PIECES["phi-3"]["added_tokens"]:
    _token["rstrip"] = _token["content"] not in {"<unk>", "<s>", "<|endoftext|>"}

TEXTS = [
    *(
        "the end",
        " the",
        "  the  end ",
        "\n",
        "a\n\n\n\nb",
        "1234567890",
        "世界你好 世 東京",
        "🚀 👩‍👩‍👧",
        "naïve cafe\u0301",
    ),
    *("x     y               z", " " * 40, "\t\r\n", "if x:\n        return None\n", "The 'assert' statement", ""),
    *("</s>", "a</s>b", " </s> the<s> </s>\n the", "<0x0A>", "[PAD907]", "<s>", "<unk> the"),
    *("<table>\n\n<end_of_turn>\n<start_of_turn>user\nthe", "<|user|>\nthe<|end|>  \n<|assistant|> x<think> y"),
]
