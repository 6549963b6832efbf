"""A household with one of everything that verbs read: models, adapters, GGUFs, recipes, data, keys, a registry."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

import numpy as np

from lineal.cli.entry import main
from tests.builders import make_adapter, make_checkpoint, read_folder, write_json
from tests.llamas import make_llama

SMALL = {
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "num_hidden_layers": 2,
    "max_position_embeddings": 32,
}
FAMILY = """
family: house
models:
  a: {original: {path: ./a}}
  b: {original: {path: ./b}}
  c: {original: {path: ./c}}
  both: {merge: {parents: [a, b], base: c, method: ties, density: 0.4, weights: [0.5, 0.5]}}
  lean: {prune: {parent: both, sparsity: 0.5}}
  small: {quantize: {parent: lean, scheme: q8_0}}
"""
RECIPE = """
merge_method: linear
models:
  - {model: ./a, parameters: {weight: 0.5}}
  - {model: ./b, parameters: {weight: [0.25, 0.75]}}
dtype: float32
"""
SECRET = b"what-lies-outside-stays-outside"
CARD = "---\nlicense: apache-2.0\nbase_model: org/a\ndatasets: [org/text]\n---\n# a\n"
PREPARED = (
    ("add", "a", "b", "c"),
    ("merge", "a", "b", "--method", "linear", "--out", "mean"),
    ("add", "mean"),
    ("prune", "mean", "--sparsity", "0.5", "--out", "lean"),
    ("quantize", "mean", "--scheme", "q8_0", "--out", "mean.gguf"),
    ("add", "lean", "mean.gguf"),
    ("add", "lora", "--name", "house:lora"),
    ("tag", "mean", "1.0.0", "--tag", "good", "--score", "90", "--metric", "mmlu=0.5"),
    ("tag", "a", "1.0.0"),
    ("policy", "house:mean", "--stage", "staging", "--min", "mmlu=0.4"),
    ("promote", "mean@1.0.0", "staging"),
    ("licence", "b", "--is", "mit"),
    ("taint", "b", "--reason", "a leak", "--source", "issue-1"),
    ("taint", "--data", "text.txt", "--reason", "holds the test set"),
    ("sign", "mean", "--key", "mine.key"),
    ("sign", "lean", "--key", "mine.key", "--out", "lean.jsonl"),
    ("check",),
)


def build(folder: Path, secret: Path) -> None:
    """Fill an empty folder; `secret` lies outside and no command is to read it."""
    secret.parent.mkdir(parents=True)
    write_json(secret, {"secret": SECRET.decode()})
    for seed, name in enumerate("abc"):
        make_llama(folder / name, seed=seed, shards=1 + (name == "c"), **SMALL)
    make_llama(folder / "fresh", seed=9, **SMALL)
    strays = {name: t + np.float32(0.01) * t for name, t in read_folder(folder / "a").items()}
    make_checkpoint(folder / "stray", strays, json.loads((folder / "a" / "config.json").read_text()))
    (folder / "a" / "README.md").write_text(CARD)
    (folder / "a" / "LICENSE").write_text("Apache License\nVersion 2.0, January 2004\n")
    (folder / "a" / "chat_template.jinja").write_text("{{ messages[0].content }}")
    (folder / "a" / "additional_chat_templates").mkdir()
    (folder / "a" / "additional_chat_templates" / "tools.jinja").write_text("{{ messages[0].content }}")
    (folder / "a" / "modeling_own.py").write_text("raise SystemExit('code of a model was run')\n")
    write_json(folder / "a" / "generation_config.json", {"eos_token_id": 0, "max_length": 8})
    draw = np.random.default_rng(7)
    pair = tuple(draw.standard_normal(shape).astype(np.float32) for shape in ((2, 32), (32, 2)))
    make_adapter(folder / "lora", {"model.layers.0.self_attn.q_proj": pair}, base_model_name_or_path="./a")
    (folder / "text.txt").write_text("the cat sat on the mat and ate a rat\n" * 40)
    (folder / "text.jsonl").write_text('{"text": "the cat sat on the mat"}\n' * 40)
    (folder / "family.yaml").write_text(FAMILY)
    (folder / "recipe.yml").write_text(RECIPE)
    key = ("openssl", "genpkey", "-algorithm", "ed25519", "-out", "mine.key")
    subprocess.run(key, cwd=folder, check=True, capture_output=True)
    public = ("openssl", "pkey", "-in", "mine.key", "-pubout", "-out", "mine.pub")
    subprocess.run(public, cwd=folder, check=True, capture_output=True)
    for words in PREPARED:
        assert main(words) == 0, words
    with (folder / "proof.json").open("w") as file, redirect_stdout(file):
        assert main(("prove", "mean", "model.norm.weight")) == 0


@contextmanager
def at_home(folder: Path) -> Iterator[None]:
    """Commands run in `folder`, with the registry that is there."""
    before = Path.cwd()
    environment = dict(os.environ)
    os.environ |= {"LINEAL_REGISTRY": str(folder / ".lineal" / "registry.db"), "HF_HUB_OFFLINE": "1", "COLUMNS": "160"}
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
        os.environ.clear()
        os.environ.update(environment)


def restore(template: Path, folder: Path) -> None:
    """The house as it was, at the place where it was: what a command did to it is gone."""
    if folder.exists():
        shutil.rmtree(folder)
    shutil.copytree(template, folder, symlinks=True)
