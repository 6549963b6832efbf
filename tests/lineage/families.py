"""Models and steps made of nothing but names: enough for a registry, which never sees weights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from blake3 import blake3

from lineal.checkpoint.content.identity import Leaf, manifest_of
from lineal.derivation import DataFile, Input, Step
from lineal.derivation.step import Kind, Role
from lineal.lineage.records.evidence import Evidence
from lineal.lineage.records.records import Evaluation, Form, ModelRecord, Name, StepRecord
from lineal.lineage.registry import Registry

ROOT = Path(__file__).parents[2]
"""Where programs run that import these tests."""


def digest(name: str) -> bytes:
    return blake3(name.encode()).digest()


def model(name: str, elements: int = 8, form: Form = "full", licence: str | None = None) -> ModelRecord:
    """One bf16 tensor and a config, both peculiar to the name."""
    leaf = Leaf("model.embed_tokens.weight", "BF16", (elements,), 2 * elements, digest(f"{name} weights"))
    return ModelRecord(manifest_of([leaf], {"config.json": digest(f"{name} config")}), form, licence)


def in_layouts(name: str, *, fused: bool, tail: str = "") -> ModelRecord:
    """One mixture of two experts under a norm, stored as published or fused. tail: of what a fine-tune changed."""
    norm = Leaf("model.norm.weight", "F32", (2,), 8, digest(f"{name} norm{tail}"))
    experts = [
        Leaf(f"model.layers.0.mlp.experts.{e}.{part}.weight", "F32", (2, 2), 16, digest(f"{name} {e} {part}"))
        for e in range(2)
        for part in ("down_proj", "gate_proj", "up_proj")
    ]
    published = manifest_of([norm, *experts], {"config.json": digest(f"{name} config")})
    if not fused:
        return ModelRecord(published, published=published.leaves)
    stacks = [("down_proj", (2, 2, 2), 32), ("gate_up_proj", (2, 4, 2), 64)]
    stored = [
        Leaf(f"model.layers.0.mlp.experts.{part}", "F32", shape, length, digest(f"{name} {part}"))
        for part, shape, length in stacks
    ]
    return ModelRecord(manifest_of([norm, *stored], published.package), published=published.leaves)


def hash_of(name: str, elements: int = 8) -> bytes:
    return model(name, elements).manifest.model_hash


def step(
    child: bytes,
    *parents: bytes,
    role: Role = "parent",
    method: str = "linear",
    evidence: Evidence = Evidence.RECORDED,
    **options: object,
) -> StepRecord:
    """A step from these parents; without parents an original, with one a fine-tune, with more a merge."""
    kinds: Sequence[Kind] = ("original", "fine-tune", "merge")
    done = Step(
        type=kinds[min(len(parents), 2)],
        method=method,
        inputs=tuple(Input(role, parent) for parent in parents),
        options=options,  # pyright: ignore[reportArgumentType]
    )
    return StepRecord(done, child, evidence, {"lineal": "0.1.0"}, seconds=1.5, created=1_760_000_000.0)


@dataclass(frozen=True)
class Member:
    """A model of the example family, and how it was made."""

    name: str
    type: Kind
    method: str
    inputs: tuple[tuple[Role, str], ...] = ()
    options: Mapping[str, str | int | float] = field(default_factory=dict)
    elements: int = 1_114_240
    form: Form = "full"
    data: tuple[str, ...] = ()
    perplexity: Mapping[str, float] = field(default_factory=dict)


EXAMPLE = (
    Member("base", "original", "train", data=("all.txt",), perplexity={"code": 35.02, "prose": 95.31}),
    Member(
        "code", "fine-tune", "lora", (("parent", "base"),), {"rank": 16, "epochs": 1}, 65_536, "adapter",
        ("code.jsonl",), {"code": 31.8, "prose": 97.2},
    ),
    Member(
        "prose", "fine-tune", "lora", (("parent", "base"),), {"rank": 16, "epochs": 2}, 65_536, "adapter",
        ("prose.jsonl",), {"code": 38.4, "prose": 80.12},
    ),
    Member(
        "both", "merge", "ties", (("base", "base"), ("parent", "code"), ("parent", "prose")), {"density": 0.2},
        perplexity={"code": 32.6, "prose": 84.5},
    ),
    Member(
        "small", "distillation", "logits", (("teacher", "code"), ("teacher", "prose"), ("student", "base")),
        {"temperature": 2.0}, 612_000, data=("code.jsonl",),
    ),
    Member("lean", "prune", "wanda", (("parent", "both"),), {"sparsity": 0.5}, data=("code.jsonl",)),
    Member("q4", "quantize", "gguf", (("parent", "both"),), {"scheme": "q4_k"}),
)  # fmt: skip
"""The family of the documentation: every kind of derivation once."""


def add_family(
    registry: Registry, members: Sequence[Member] = EXAMPLE, family: str = "demo", folder: Path | None = None
) -> dict[str, bytes]:
    """Record a family, in order; the hash of each member."""
    hashes: dict[str, bytes] = {}
    for index, member in enumerate(members):
        record = model(f"{family} {member.name}", member.elements, member.form)
        hashes[member.name] = registry.add_model(record, None if folder is None else folder / member.name)
        done = Step(
            type=member.type,
            method=member.method,
            inputs=tuple(Input(role, hashes.get(name, digest(name))) for role, name in member.inputs),
            options=dict(member.options),
            data=tuple(DataFile(name, digest(name)) for name in member.data),
        )
        at = 1_760_000_000.0 + index
        _ = registry.record(StepRecord(done, hashes[member.name], Evidence.RECORDED, {"lineal": "0.1.0"}, 12.5, at))
        registry.set_name(Name(family, member.name, hashes[member.name]))
        for text, perplexity in member.perplexity.items():
            registry.record_evaluation(
                Evaluation(
                    hashes[member.name], text, digest(text), {"context": 256},
                    perplexity=perplexity, bits_per_byte=1.25, tokens=1000, text_bytes=4000,
                )
            )  # fmt: skip
    return hashes
