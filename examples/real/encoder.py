"""all-MiniLM-L6-v2 and a stranger's fine-tune of it: where weights come from, and what encoders are not for."""

from pathlib import Path

from examples.real.checked import Checked

NEEDS_A_LANGUAGE_MODEL = (
    "eval ./sre --data prose.txt",
    "generate ./sre 'Kubernetes is'",
    "finetune ./sre --data texts/prose.jsonl --tokens 1k --out ./never",
    "distill ./sre --student ./minilm --data texts/prose.jsonl --tokens 1k --out ./never",
)
NEEDS_A_KNOWN_ARCHITECTURE = (
    "prune ./sre --sparsity 0.3 --out ./never",
    "quantize ./sre --scheme q8_0 --out ./never.gguf",
)


def tour(real: Checked, folder: Path) -> None:
    find_the_parent(real)
    average(real, folder)
    what_is_refused(real)


def find_the_parent(real: Checked) -> None:
    """Nothing but the weights is asked."""
    real.step("add ./minilm")
    best = real.answer("adopt ./sre")["ranking"][0]
    parent = best["inputs"][0]["label"]
    print(f"sre: {best['type']} of {parent}, score {best['score']:.4f}: {best['reason']}")
    real.expect((best["type"], parent) == ("fine-tune", "minilm"), "sre to be a fine-tune of minilm")
    real.difference("diff ./minilm ./sre")
    real.step("why ./sre")


def average(real: Checked, folder: Path) -> None:
    """Halfway between the two, with what sentence-transformers reads beside the weights."""
    real.step("merge ./minilm ./sre --method linear --weights 0.5,0.5 --out ./halfway")
    real.expect((folder / "halfway" / "1_Pooling" / "config.json").is_file(), "the pooling of an encoder to travel")
    real.step("blame ./halfway")


def what_is_refused(real: Checked) -> None:
    """What an encoder is not for is said in one line."""
    for line in NEEDS_A_LANGUAGE_MODEL:
        real.expect("encoder" in real.refusal(line), f"`lineal {line}` to say that it is an encoder")
    for line in NEEDS_A_KNOWN_ARCHITECTURE:
        real.expect("bert" in real.refusal(line), f"`lineal {line}` to name the architecture")
