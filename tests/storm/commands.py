"""The verbs of the command line on the household, and the files that each of them reads."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Command:
    """reads: globs of files worth changing; weight: how often it is drawn; writes: beside out; code: of its exit."""

    words: tuple[str, ...]
    reads: tuple[str, ...]
    weight: int = 4
    writes: tuple[str, ...] = ()
    code: int = 0

    def __str__(self) -> str:
        return " ".join(self.words)


A, B, C, LORA, MEAN, LEAN = "a/**/*", "b/*", "c/*", "lora/*", "mean/**/*", "lean/**/*"
REGISTRY = ".lineal/registry.db"


def _asking(*lines: str, code: int = 0) -> tuple[Command, ...]:
    return tuple(Command(tuple(line.split()), (REGISTRY,), 2, (), code) for line in lines)


COMMANDS = (
    Command(("merge", "./a", "./b", "--method", "linear", "--out", "out"), (A, B, A, B, REGISTRY), 12),
    Command(("merge", "./a", "./b", "--base", "./c", "--method", "ties", "--out", "out"), (A, B, C), 8),
    Command(("merge", "./a", "./b", "--method", "linear", "--dry-run", "--out", "out"), (A, B)),
    Command(("merge", "recipe.yml", "out"), ("recipe.yml", "recipe.yml", A, B), 8),
    Command(("merge", "./lora", "--base", "./a", "--method", "adapter", "--out", "out"), (LORA, LORA, A), 8),
    Command(("merge", "./mean.gguf", "./a", "--method", "linear", "--out", "out"), ("mean.gguf*", A), 6),
    Command(("merge", "mean", "b", "--method", "slerp", "--out", "out"), (MEAN, REGISTRY)),
    Command(("prune", "./a", "--sparsity", "0.5", "--out", "out"), (A,)),
    Command(("quantize", "./a", "--scheme", "q4_0", "--out", "out.gguf"), (A, "a/*.json", "a/tokenizer*"), 8),
    Command(("quantize", "./lora", "--base", "./a", "--scheme", "f16", "--out", "out.gguf"), (LORA, A)),
    Command(("prune", "./mean.gguf", "--sparsity", "0.5", "--out", "out"), ("mean.gguf*",), 6),
    Command(("quantize", "./mean.gguf", "--scheme", "q4_0", "--out", "out.gguf"), ("mean.gguf*",), 6),
    Command(("diff", "./mean.gguf", "./mean", "--weights"), ("mean.gguf*",), 4, (), 1),
    Command(("run",), ("family.yaml", "family.yaml", A, B, C, REGISTRY), 10, ("models",)),
    Command(("run", "--dry-run"), ("family.yaml", "family.yaml", A, B, C, REGISTRY), 8),
    Command(("add", "./a"), (A,), 6),
    Command(("add", "./mean"), (MEAN, "mean/lineal.json", "mean/lineal.intoto.jsonl", REGISTRY), 10),
    Command(("add", "./mean.gguf"), ("mean.gguf*",), 8),
    Command(("add", "./lora"), (LORA,), 6),
    Command(("import", "./a", "./lora"), (A, "a/README.md", "lora/adapter_config.json")),
    Command(("find", "./mean"), (MEAN, REGISTRY)),
    Command(("find", "./mean.gguf"), ("mean.gguf", REGISTRY)),
    Command(("adopt", "./lean"), (LEAN, A, REGISTRY), 3),
    Command(("diff", "./a", "./mean", "--weights"), (A, MEAN), 6, (), 1),
    Command(("diff", "./mean.gguf", "./mean"), ("mean.gguf*", MEAN), 4, (), 1),
    Command(("verify", "mean"), (MEAN, "mean/lineal.json", A, B, REGISTRY), 8),
    Command(("verify", "--family", "house"), (MEAN, LEAN, "mean.gguf*", LORA, REGISTRY), 6),
    Command(
        ("sign", "./mean", "--key", "mine.key"),
        (MEAN, "mean/lineal.intoto.jsonl", "mine.key"),
        4,
        ("mean/lineal.intoto.jsonl",),
    ),
    Command(("sign", "./b", "--key", "mine.key", "--out", "b.jsonl"), (B, "mine.key"), 4, ("b.jsonl",)),
    Command(("verify-signature", "mean", "--key", "mine.pub"), ("mean/lineal.intoto.jsonl", "mine.pub", REGISTRY)),
    Command(("verify-signature", "lean.jsonl", "--key", "mine.pub"), ("lean.jsonl", "lean.jsonl", "mine.pub")),
    Command(("check-proof", "proof.json"), ("proof.json",), 6),
    Command(("check-proof", "proof.json", "--bytes", "./mean"), ("proof.json", MEAN)),
    Command(("init", "--out", "new.yaml"), (A, B, LORA, "mean.gguf*", "mean/lineal.json"), 3, ("new.yaml",)),
    Command(("rm", "lean", "--weights", "--yes"), (LEAN, REGISTRY), 3, ("lean", ".replaced")),
    Command(("tag", "mean", "1.1.0", "--metric", "mmlu=0.6"), (REGISTRY,)),
    Command(("promote", "a@1.0.0", "staging"), (REGISTRY,)),
    Command(("taint", "--data", "text.jsonl", "--reason", "leak"), ("text.jsonl", REGISTRY)),
    Command(("clear", "b", "--reason", "gone"), (REGISTRY,)),
    Command(("licence", "a", "--override", "mit", "--because", "agreed"), (REGISTRY,)),
    Command(("check",), (REGISTRY,), 12),
    Command(("log", "--svg", "tree.svg"), (REGISTRY,), 2, ("tree.svg",)),
    *_asking("log", "log --all", "log --json", "show mean", "show lora --json", "why lean"),
    *_asking("list", "list --json", "blame mean", "ancestors lean", "descendants a", "common mean b"),
    *_asking("path a lean", "roots", "leaves", "licence mean", "policy", "journal", "show b", "why mean.gguf"),
    *_asking("prove mean model.norm.weight", "bisect a lean --command true", "taint a --reason x"),
    *_asking("diff mean lean", "tainted mean", "verify-signature mean", code=1),
    Command(("eval", "./a", "--context", "16", "--data", "text.txt"), (A, "text.txt"), 1),
    Command(("generate", "./a", "the cat", "--tokens", "4"), (A,), 1),
    Command(
        ("finetune", "./a", "--data", "text.jsonl", "--sequence-length", "8", "--out", "out"), (A, "text.jsonl"), 1
    ),
)
