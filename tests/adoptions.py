"""Forty-four models of known origin, and the family that they come from: what `lineal adopt` is measured by."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from lineal.derivation.step import Kind
from lineal.family.build.one_off import derive, family_of_one, family_of_recipe, method_from_words
from lineal.family.file.recipe import Reference
from lineal.family.origin.add import add_folder
from lineal.family.session import Session
from tests.builders import Array, make_adapter, write_safetensors
from tests.llamas import make_llama
from tests.trained_llamas import (
    Tensors,
    as_dtype,
    linear,
    on_float8,
    on_integers,
    trained_like,
    tuned,
    two_of_four,
    with_lora,
)


@dataclass(frozen=True)
class Zoo:
    """Known models: base; a, b and c, fine-tunes of it; aa, one of a; half, base in BF16; lora, an adapter of a; twins.

    elsewhere: a session that derives children which nobody remembers.
    """

    folder: Path
    known: Session
    elsewhere: Session
    tensors: Mapping[str, Tensors]

    def write(self, place: Path, tensors: Mapping[str, Array], **options: Any) -> None:
        _write(place, tensors, **options)

    def derive(self, place: Path, kind: Kind, method: str, words: str, *parents: str, base: str | None = None) -> None:
        """A child by lineal's own verb, without its record and card."""
        chosen = method_from_words(kind, method, words.split())
        roles = [*([Reference("base", self.path(base))] if base else [])]
        inputs = [*roles, *(Reference("parent", self.path(parent)) for parent in parents)]
        _ = derive(self.elsewhere, family_of_one(kind, chosen, inputs, place), place)
        _forget(place)

    def merge(self, place: Path, recipe: str) -> None:
        file = place.with_suffix(".yml")
        file.write_text(recipe.replace("@", f"{self.folder}/"))
        _ = derive(self.elsewhere, family_of_recipe(self.elsewhere, file, place, allow_nonfinite=False), place)
        _forget(place)

    def path(self, name: str) -> str:
        return str(self.folder / name)


def make_zoo(folder: Path, known: Session, elsewhere: Session) -> Zoo:
    base = trained_like(1)
    a, b, c = tuned(base, 2), tuned(base, 3), tuned(base, 4, 0.08)
    tensors = {"base": base, "a": a, "b": b, "c": c, "aa": tuned(a, 5, 0.04)}
    tensors |= {"half": as_dtype(base, ml_dtypes.bfloat16), "twin": trained_like(6), "twin2": trained_like(7)}
    for name, content in tensors.items():
        _write(folder / name, content)
        _ = add_folder(known, folder / name, f"zoo:{name}")
    return Zoo(folder, known, elsewhere, tensors)


def _write(place: Path, tensors: Mapping[str, Array], shards: int = 1, **changes: Any) -> None:
    """The package of a Llama with these weights."""
    make_llama(place, shards=shards, **changes)
    if shards == 1:
        write_safetensors(place / "model.safetensors", tensors)
        return
    for index, file in enumerate(sorted(place.glob("*.safetensors"))):
        names = [name for number, name in enumerate(tensors) if number % shards == index]
        write_safetensors(file, {name: tensors[name] for name in names})


def _forget(place: Path) -> None:
    """Leave nothing beside the weights that says where they come from."""
    for name in ("lineal.json", "README.md"):
        (place / name).unlink(missing_ok=True)


@dataclass(frozen=True)
class Case:
    """parents: those of the right answer, a base only where the method needs one; none: an unrelated model.

    same: the answer is that the model is known.
    """

    name: str
    make: Callable[[Zoo, Path], None]
    parents: tuple[str, ...]
    kind: Kind | None = None
    base: str | None = None
    same: bool = False


def _of(change: Callable[[Mapping[str, Tensors]], Mapping[str, Array]], **options: Any) -> Callable[[Zoo, Path], None]:
    return lambda zoo, place: zoo.write(place, change(zoo.tensors), **options)


def _merge(method: str, words: str = "", parents: str = "ab", base: str | None = None) -> Case:
    def make(zoo: Zoo, place: Path) -> None:
        zoo.derive(place, "merge", method, words, *parents, base=base)

    return Case(f"merge {method}", make, tuple(parents), "merge", base)


def _quantize(scheme: str, parent: str) -> Case:
    def make(zoo: Zoo, place: Path) -> None:
        zoo.derive(place, "quantize", "gguf", f"--scheme {scheme}", parent)

    return Case(f"GGUF {scheme}", make, (parent,), "quantize")


def _adapted(zoo: Zoo, place: Path) -> None:
    """A LoRA adapter, made part of its base by lineal."""
    generator = np.random.default_rng(31)
    pairs = {
        name.removesuffix(".weight"): (
            0.02 * generator.standard_normal((8, x.shape[1])).astype(np.float32),
            0.02 * generator.standard_normal((x.shape[0], 8)).astype(np.float32),
        )
        for name, x in zoo.tensors["a"].items()
        if "_proj" in name
    }
    adapter = make_adapter(place.with_name("adapter"), pairs)
    method = method_from_words("merge", "adapter", [])
    inputs = [Reference("base", zoo.path("a")), Reference("parent", str(adapter))]
    _ = derive(zoo.elsewhere, family_of_one("merge", method, inputs, place), place)
    _forget(place)


SLICES = """
merge_method: passthrough
slices:
  - sources: [{model: @a, layer_range: [0, 1]}]
  - sources: [{model: @b, layer_range: [0, 2]}]
"""
ONE_LAYER = """
merge_method: passthrough
slices:
  - sources: [{model: @c, layer_range: [1, 2]}]
"""


def _recipe(text: str) -> Callable[[Zoo, Path], None]:
    return lambda zoo, place: zoo.merge(place, text)


def _grown(tensors: Mapping[str, Array]) -> Tensors:
    """Two more tokens, whose rows are the mean of all others."""
    found = dict(tensors)
    for name in ("model.embed_tokens.weight", "lm_head.weight"):
        found[name] = np.concatenate([tensors[name], np.repeat(tensors[name].mean(axis=0, keepdims=True), 2, axis=0)])
    return found


def _slim(tensors: Mapping[str, Array]) -> Tensors:
    """Other names for everything, which tell of nothing."""
    return {f"w.{index:02}": x for index, x in enumerate(tensors.values())}


CASES = (
    Case("full fine-tune of the base", _of(lambda m: tuned(m["base"], 20)), ("base",), "fine-tune"),
    Case("full fine-tune, 0.2 % of the norm", _of(lambda m: tuned(m["base"], 21, 0.002)), ("base",), "fine-tune"),
    Case("full fine-tune, 30 % of the norm", _of(lambda m: tuned(m["base"], 22, 0.3)), ("base",), "fine-tune"),
    Case("full fine-tune of a fine-tune", _of(lambda m: tuned(m["a"], 23)), ("a",), "fine-tune"),
    Case("full fine-tune of its fine-tune", _of(lambda m: tuned(m["aa"], 24, 0.03)), ("aa",), "fine-tune"),
    Case(
        "full fine-tune in BF16",
        _of(lambda m: as_dtype(tuned(as_dtype(m["half"], np.float32), 25, 0.02), ml_dtypes.bfloat16)),
        ("half",),
        "fine-tune",
    ),
    Case(
        "LoRA of rank 2, attention",
        _of(lambda m: with_lora(m["base"], 26, 2, "q_proj", "v_proj")),
        ("base",),
        "fine-tune",
    ),
    Case("LoRA of rank 8, everywhere", _of(lambda m: with_lora(m["b"], 27, 8, "_proj")), ("b",), "fine-tune"),
    Case(
        "LoRA of rank 4 in BF16",
        _of(lambda m: as_dtype(with_lora(m["c"], 28, 4, "_proj"), ml_dtypes.bfloat16)),
        ("c",),
        "fine-tune",
    ),
    Case("adapter merged by lineal", _adapted, ("a",), "fine-tune"),
    _merge("linear", "--weights 0.7,0.3"),
    _merge("slerp", "--t 0.4"),
    _merge("karcher", "", "abc"),
    _merge("task_arithmetic", "--weights 0.8,0.5", base="base"),
    _merge("ties", "--density 0.3", base="base"),
    _merge("dare_linear", "--density 0.4 --seed 1", base="base"),
    _merge("dare_ties", "--density 0.5 --seed 2", base="base"),
    _merge("della", "--density 0.5 --seed 3", base="base"),
    _merge("breadcrumbs", "", base="base"),
    _merge("sce", "--select_topk 0.3", base="base"),
    _merge("model_stock", "", base="base"),
    _merge("nearswap", "--t 0.0005", "b", base="a"),
    _merge("arcee_fusion", "", "b", base="a"),
    Case("passthrough, slices of two", _recipe(SLICES), ("a", "b"), "merge"),
    Case("passthrough, one layer of two", _recipe(ONE_LAYER), ("c",), "merge"),
    Case(
        "pruned by magnitude, 50 %",
        lambda z, p: z.derive(p, "prune", "magnitude", "--sparsity 0.5", "a"),
        ("a",),
        "prune",
    ),
    Case(
        "pruned by magnitude, 10 %",
        lambda z, p: z.derive(p, "prune", "magnitude", "--sparsity 0.1", "base"),
        ("base",),
        "prune",
    ),
    Case("pruned 2:4", _of(lambda m: linear(m["b"], two_of_four)), ("b",), "prune"),
    _quantize("q8_0", "a"),
    _quantize("q4_0", "b"),
    _quantize("bf16", "c"),
    Case("int8, a scale a row", _of(lambda m: linear(m["aa"], on_integers(127))), ("aa",), "quantize"),
    Case(
        "int4, a scale for 32, in BF16",
        _of(lambda m: as_dtype(linear(m["a"], on_integers(7, 32)), ml_dtypes.bfloat16)),
        ("a",),
        "quantize",
    ),
    Case("float8, a scale a tensor", _of(lambda m: linear(m["c"], on_float8)), ("c",), "quantize"),
    Case("resharded", _of(lambda m: m["b"], shards=3), ("b",), same=True),
    Case("renamed, a prefix", _of(lambda m: {f"language_model.{k}": x for k, x in m["a"].items()}), ("a",), "merge"),
    Case("renamed, all names", _of(lambda m: _slim(m["c"])), ("c",), "merge"),
    Case(
        "renamed and fine-tuned",
        _of(lambda m: {f"language_model.{k}": x for k, x in tuned(m["b"], 29).items()}),
        ("b",),
        "fine-tune",
    ),
    Case("two more tokens", _of(lambda m: _grown(m["a"]), vocab_size=274), ("a",), "fine-tune"),
    Case("unrelated twin", _of(lambda m: trained_like(50)), ()),
    Case("unrelated twin in BF16", _of(lambda m: as_dtype(trained_like(51), ml_dtypes.bfloat16)), ()),
    Case("unrelated twin, pruned", _of(lambda m: linear(trained_like(52), two_of_four)), ()),
    Case("unrelated twin, int4", _of(lambda m: linear(trained_like(53), on_integers(7))), ()),
    Case(
        "unrelated twin, the norms of a",
        _of(lambda m: {n: m["a"][n] if x.ndim == 1 else x for n, x in trained_like(54).items()}),
        (),
    ),
)
"""Each is made of the zoo's models, or of none."""
