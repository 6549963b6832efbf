"""SmolLM2-135M-Instruct, from its GGUF through every way to derive."""

import shlex
from pathlib import Path

from examples.real import chat
from examples.real.checked import Checked, Scores

RECIPE = Path(__file__).with_name("without-six-blocks.yml")
LORA = "--rank 8 --alpha 16 --tokens 6k --sequence-length 256 --batch-size 2 --learning-rate 1e-3 --seed 1"
TEACHING = "--tokens 4k --sequence-length 128 --batch-size 4 --learning-rate 5e-4 --seed 1"
TEXTS = ("prose", "code")


def tour(real: Checked, folder: Path) -> None:
    base = open_gguf(real)
    talk(real, folder)
    both = fine_tune_and_merge(real, base)
    distill(real)
    prune_and_quantize(real, both)
    ask_where_it_came_from(real)


def open_gguf(real: Checked) -> Scores:
    """The GGUF as an ordinary folder, which predicts as the GGUF does."""
    real.step("add ./smollm2.gguf")
    real.step("show ./smollm2.gguf")
    real.step("merge ./smollm2.gguf --method passthrough --out ./smollm2")
    gguf, base = real.scores("./smollm2.gguf", "./smollm2")
    for text, most in (("prose", 40), ("code", 15)):
        real.expect(2 < base[text] < most, f"a perplexity on {text} between 2 and {most}, got {base[text]}")
        real.expect(abs(base[text] / gguf[text] - 1) < 1e-3, f"the folder's perplexity on {text} to be the GGUF's")
    real.expect(base["kl"] < 1e-3, f"folder and GGUF to predict the same, got a divergence of {base['kl']}")
    return base


def talk(real: Checked, folder: Path) -> None:
    """A question through the model's own chat template."""
    question = chat.prompt(folder / "smollm2", "What is the capital of France?")
    said = real.text(f"generate ./smollm2 {shlex.quote(question)} --tokens 24")
    print(said)
    real.expect("Paris" in said.removeprefix(question), "the model to know the capital of France")


def fine_tune_and_merge(real: Checked, base: Scores) -> Scores:
    """An adapter for the prose and one for the code of CPython, and both in one model."""
    for text in TEXTS:
        real.step(f"finetune ./smollm2 --data texts/{text}.jsonl {LORA} --out ./{text}")
    real.step("merge ./prose ./code --base ./smollm2 --method ties --density 0.5 --weights 0.5,0.5 --out ./both")
    prose, code, both = real.scores("./prose", "./code", "./both")
    real.expect(prose["prose"] < 0.99 * base["prose"], "the prose adapter to predict prose better than its base")
    real.expect(code["code"] < 0.99 * base["code"], "the code adapter to predict code better than its base")
    for text in TEXTS:
        real.expect(both[text] < base[text], f"the merge to be better than the base on {text}")
    return both


def distill(real: Checked) -> None:
    """A model of four fifths of the blocks, cut by a recipe in mergekit's YAML, and taught by the whole."""
    real.step(f"merge {shlex.quote(str(RECIPE))} ./cut")
    data = "--data texts/prose.jsonl --data texts/code.jsonl"
    real.step(f"distill ./both --student ./cut {data} {TEACHING} --out ./small")
    cut, small = real.scores("./cut", "./small")
    for text in TEXTS:
        real.expect(small[text] < 0.6 * cut[text], f"the student to be far better on {text} than the cut model")


def prune_and_quantize(real: Checked, both: Scores) -> None:
    real.step("prune ./both --sparsity 0.2 --out ./lean")
    real.step("quantize ./both --scheme q8_0 --out ./q8.gguf")
    real.step("quantize ./both --scheme q4_0 --out ./q4.gguf")
    lean, q8, q4 = real.scores("./lean", "./q8.gguf", "./q4.gguf")
    for name, model, most in (("pruned", lean, 1.3), ("8-bit", q8, 1.01), ("4-bit", q4, 1.4)):
        for text in TEXTS:
            times = model[text] / both[text]
            real.expect(times < most, f"the {name} model's perplexity on {text} below {most} times, got {times:.3f}")


def ask_where_it_came_from(real: Checked) -> None:
    """What a person asks a month later."""
    for text in TEXTS:
        real.step(f"licence --data texts/{text}.jsonl --is psf-2.0")
    real.step("licence ./both")
    real.step("why ./q4.gguf")
    real.step("blame ./both")
    real.step("descendants ./smollm2.gguf")
    real.step("log --family real --svg family.svg --force")
