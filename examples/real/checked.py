"""Steps that are timed and measured, and figures that are held against what is expected of them."""

import json
import sys
from dataclasses import dataclass, field
from typing import Any, TypeAlias, final

from examples.commands import Commands, Ran

Scores: TypeAlias = dict[str, float]
"""Perplexity on `prose` and on `code`, and `kl`: the larger divergence of both from what the model was made from."""

_WIDTH = 92


@final
@dataclass
class Checked:
    """Runs lineal's commands one after the other and keeps what each took."""

    lineal: Commands
    rows: list[tuple[str, float, int]] = field(default_factory=list)

    def step(self, line: str) -> None:
        """A command whose output is for the reader."""
        self._keep(line, self.lineal.show(line))

    def text(self, line: str) -> str:
        """The answer of a command in words."""
        return self._keep(line, self.lineal.ask(line)).answer

    def answer(self, line: str) -> Any:
        """The answer of a command with --json."""
        return json.loads(self.text(f"{line} --json"))

    def difference(self, line: str) -> None:
        """A command whose answer is no: two models differ."""
        ran = self._keep(line, self.lineal.attempt(line))
        print(ran.answer, end="", flush=True)
        self.expect(ran.code == 1, f"`lineal {line}` to find differences, and exit code 1, got {ran.code}")

    def refusal(self, line: str) -> str:
        """What a command says that must refuse in one line."""
        ran = self._keep(line, self.lineal.attempt(line))
        print(ran.said, end="", flush=True)
        said = [line for line in ran.said.splitlines() if line.startswith("lineal: ")]
        self.expect(
            ran.code in (2, 3) and len(said) == 1, f"a refusal in one line and exit code 2 or 3, got {ran.code}"
        )
        return said[0]

    def scores(self, *models: str) -> list[Scores]:
        """Of each model, in their order."""
        found = self.answer(f"eval {' '.join(models)} --data prose.txt --data code.txt --context 512")
        told: list[Scores] = [{"kl": 0.0} for _ in models]
        for one in found:
            entry = told[models.index(one["model"])]
            entry[one["text"].removesuffix(".txt")] = one["perplexity"]
            entry["kl"] = max(entry["kl"], one["kl"] or 0.0)
        for model, entry in zip(models, told, strict=True):
            print(f"{model:14} prose {entry['prose']:8.2f}   code {entry['code']:8.2f}   KL {entry['kl']:.4f}")
        return told

    def expect(self, holds: bool, what: str) -> None:
        """End loudly where something is not as it should be."""
        if not holds:
            sys.exit(f"real: expected {what}")

    def table(self) -> None:
        """What every command took: seconds, and the most memory that it held."""
        print(f"\n{'command':{_WIDTH}} {'seconds':>8} {'peak MB':>8}")
        for command, seconds, peak in self.rows:
            print(f"{command:{_WIDTH}} {seconds:8.1f} {peak / 1e6:8.0f}")

    def _keep(self, line: str, ran: Ran) -> Ran:
        command = line.replace("\n", " ")
        short = command if len(command) <= _WIDTH else command[: _WIDTH - 3] + "..."
        self.rows.append((short, ran.seconds, ran.peak_bytes))
        return ran
