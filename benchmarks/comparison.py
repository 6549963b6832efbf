"""One recipe on both sides and at the floor: outputs checked first, then runs that alternate."""

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import cast, final

import peer as mergekit
from agreement import Agreement, agreement
from checkpoints import FINE_TUNES
from measure import Measurement, measure, median
from recipes import Recipe

from lineal.checkpoint.reader import FULL_WEIGHTS

_LINEAL = Path(sys.executable).with_name("lineal")
_FLOOR = Path(__file__).with_name("floor.py")
_SIZE_TOLERANCE = 0.02
TIMED, CHECKED = "bfloat16", "float32"
"""The dtypes mergekit computes in: where it is timed, its fastest, and where its output must agree with ours."""


@final
@dataclass(frozen=True)
class Comparison:
    """Medians of one method; `remembering`: ours, when the parents' hashes are known from an earlier run.

    ours_start, peer_start: of the same merge of models that are next to nothing.
    """

    method: str
    ours: Measurement
    remembering: Measurement
    peer: Measurement
    floor: Measurement
    ours_start: Measurement
    peer_start: Measurement
    checked: Agreement
    timed: Agreement

    @property
    def without_start(self) -> float:
        """How many times faster ours is, of each side its start subtracted."""
        return (self.peer.seconds - self.peer_start.seconds) / (self.ours.seconds - self.ours_start.seconds)


@final
@dataclass(frozen=True)
class Bench:
    """Where the runs read and write: the parents' folders by name, the installed peer, a folder for outputs."""

    parents: dict[str, Path]
    peer: mergekit.Peer | None
    folder: Path
    small: "Bench | None" = None
    """The same with models that are next to nothing."""

    def compare(self, recipe: Recipe, runs: int) -> Comparison:
        """The untimed runs come first: they compile our kernels, fill the page cache, and must agree."""
        self.ours(recipe, remembering=False)
        self.theirs(recipe, CHECKED)
        checked = self._agreement()
        _require(recipe, checked)
        ours: list[Measurement] = []
        remembering: list[Measurement] = []
        peer: list[Measurement] = []
        floor: list[Measurement] = []
        for run in range(runs):
            ours.append(self.ours(recipe, remembering=False))
            peer.append(self.theirs(recipe, TIMED))
            floor.append(self._at_the_floor(recipe))
            remembering.append(self.ours(recipe, remembering=True))
            seconds = ", ".join(f"{side[-1].seconds:.2f}" for side in (ours, peer, floor, remembering))
            print(f"{recipe.method} {run + 1}/{runs}: {seconds} s (ours, peer, floor, remembering)", file=sys.stderr)
        starts = [self.start(recipe) for _ in range(runs)]
        return Comparison(
            recipe.method,
            ours=median(ours),
            remembering=median(remembering),
            peer=median(peer),
            floor=median(floor),
            ours_start=median([ours for ours, _ in starts]),
            peer_start=median([peer for _, peer in starts]),
            checked=checked,
            timed=self._agreement(),
        )

    def start(self, recipe: Recipe) -> tuple[Measurement, Measurement]:
        """Ours and the peer's, where there is next to nothing to merge."""
        small = cast(Bench, self.small)
        return small.ours(recipe, remembering=False), small.theirs(recipe, TIMED)

    def alone(self, recipe: Recipe, runs: int) -> Measurement:
        """Ours without a peer; the first run fills the page cache."""
        return median([self.ours(recipe, remembering=False) for _ in range(1 + runs)][1:])

    def ours(self, recipe: Recipe, *, remembering: bool) -> Measurement:
        """A registry of its own each time, unless what the run before learnt of its parents is to be remembered."""
        registry = self.folder / "registry"
        if not remembering:
            shutil.rmtree(registry, ignore_errors=True)
        out = self._fresh("lineal")
        where = ["--registry", str(registry / "registry.db"), "--out", str(out)]
        return self._measure([str(_LINEAL), "merge", *recipe.words(self.parents), *where], {})

    def theirs(self, recipe: Recipe, arithmetic: str) -> Measurement:
        command = cast(mergekit.Peer, self.peer).merge(
            recipe.mergekit(self.parents, arithmetic), self._fresh("mergekit")
        )
        return self._measure(command, mergekit.ENVIRONMENT)

    def _at_the_floor(self, recipe: Recipe) -> Measurement:
        inputs = [str(folder / FULL_WEIGHTS) for folder in recipe.inputs(self.parents)]
        size = sum(path.stat().st_size for path in (self.folder / "lineal" / "merged").glob("*.safetensors"))
        return self._measure([sys.executable, str(_FLOOR), str(self._fresh("floor")), str(size), *inputs], {})

    def _measure(self, command: list[str], environment: dict[str, str]) -> Measurement:
        os.sync()  # what the run before left to be written is not this one's to wait for
        return measure(command, self.folder / "log.txt", environment)

    def _fresh(self, side: str) -> Path:
        """An output that does not exist, in a folder that does."""
        shutil.rmtree(self.folder / side, ignore_errors=True)
        (self.folder / side).mkdir(parents=True)
        return self.folder / side / "merged"

    def _agreement(self) -> Agreement:
        first = self.parents[FINE_TUNES[0]]
        return agreement(self.folder / "lineal" / "merged", self.folder / "mergekit" / "merged", first)


def _require(recipe: Recipe, found: Agreement) -> None:
    if found.within_one_ulp < recipe.agreeing or abs(found.size_ratio - 1) > _SIZE_TOLERANCE:
        raise RuntimeError(f"{recipe.method}: the two outputs do not agree: {found}")
