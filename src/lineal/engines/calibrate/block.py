"""A block as calibrated methods see it: run on all samples, changed in place."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from typing import final

import numpy as np
import torch
from torch import Tensor, nn

from lineal.engines.calibrate.experts import Experts
from lineal.engines.calibrate.folding import fold, names_before
from lineal.engines.calibrate.hidden_states import HiddenStates
from lineal.engines.calibrate.layer import Layer
from lineal.engines.calibrate.shared_inputs import Place, places_of
from lineal.errors import MethodError
from lineal.methods.arrays import Float32
from lineal.methods.calibrated import Rounded, SharedInput, Statistic
from lineal.shown import quoted


@final
class WalkedBlock:
    """A decoder layer in memory, and the file of what stands before it."""

    def __init__(
        self,
        method: str,
        layer: Layer,
        linear: Mapping[str, object],
        before: HiddenStates,
        *,
        packed: Collection[str] = (),
        folds: bool = True,
    ) -> None:
        """linear: the published names of the block's linear layers; packed: of weights that the child stores as codes;
        folds: whether something may be folded."""
        self._method, self._layer, self._before = method, layer, before
        self._places = {place.shared: place for place in places_of(layer, linear, before.read(0, 1), folds=folds)}
        self._packed = packed
        self.changed: set[str] = set()
        self._rounded: set[str] = set()

    @property
    def index(self) -> int:
        return self._layer.index

    @property
    def shared_inputs(self) -> Sequence[SharedInput]:
        return tuple(self._places)

    def weight(self, name: str) -> Float32:
        values = self._layer.tensors[name].numpy()
        values.flags.writeable = False
        return values

    def dtype(self, name: str) -> str:
        return self._layer.dtypes[name]

    def is_packed(self, name: str) -> bool:
        return name in self._packed

    def gather(self, statistics: Mapping[SharedInput, Sequence[Statistic]]) -> None:
        tokens = self.run(statistics)
        for shared in statistics:
            if tokens[shared] == 0:
                self._refuse_unseen(shared)

    @torch.inference_mode()
    def run(
        self, statistics: Mapping[SharedInput, Sequence[Statistic]], behind: HiddenStates | None = None
    ) -> Mapping[SharedInput, int]:
        """Run all samples through the block as it is now; how many tokens each statistic was shown.

        behind: is given what stands behind the block.
        """
        watch = _Watch({shared: (self._places[shared], found) for shared, found in statistics.items()})
        with watch.on():
            for start, states in self._before.batches():
                made = self._layer.run(states)
                if behind is not None:
                    behind.write(start, made)
        return watch.tokens

    def change(self, tensors: Mapping[str, Float32]) -> None:
        for name, values in tensors.items():
            self._require_finite(name, values)
            self._refuse_rounded(name)
            self._layer.tensors[name].copy_(torch.from_numpy(np.ascontiguousarray(values)))
            self.changed.add(name)

    def take(self, rounded: Rounded) -> None:
        """Put the values that codes stand for in place, for good."""
        self._layer.tensors[rounded.name].copy_(torch.from_numpy(np.ascontiguousarray(rounded.values)))
        self._rounded.add(rounded.name)

    def fold(self, shared: SharedInput, divisors: Float32) -> None:
        if not shared.foldable or not (np.isfinite(divisors).all() and (divisors > 0).all()):
            raise MethodError(f"{self._method}: nothing positive to fold before {quoted(shared.layers[0])}")
        if not np.array_equal(divisors, shared.repeats.spread(shared.repeats.once(divisors))):
            raise MethodError(
                f"{self._method}: columns of {quoted(shared.layers[0])} that share a value need one divisor"
            )
        place = self._places[shared]
        for name in (*shared.layers, *names_before(place)):
            self._refuse_rounded(name)
        self.changed.update(fold(self._layer, place, np.ascontiguousarray(divisors, np.float32)))

    def _refuse_unseen(self, shared: SharedInput) -> None:
        if shared.expert is None:
            raise MethodError(f"{self._method}: no token reaches {quoted(shared.layers[0])}")
        raise MethodError(
            f"{self._method}: expert {shared.expert} of block {self.index} of {self._layer.model} has seen no token of "
            f"the text, so nothing is known of what it multiplies ({quoted(shared.layers[0])}); give more samples, "
            "longer ones, or a text of more kinds"
        )

    def _refuse_rounded(self, name: str) -> None:
        if name in self._rounded:
            raise MethodError(f"{self._method}: {quoted(name)} has been rounded to codes, and is not changed any more")

    def _require_finite(self, name: str, values: Float32) -> None:
        if not np.isfinite(values).all():
            raise MethodError(
                f"{self._method}: {quoted(name)} of {self._layer.model} comes out as infinite or no number"
            )


@final
class _Watch:
    """Shows statistics what reaches their layers while the block is run."""

    def __init__(self, statistics: Mapping[SharedInput, tuple[Place, Sequence[Statistic]]]) -> None:
        self._statistics = statistics
        self.tokens = dict.fromkeys(statistics, 0)
        self._of_experts = {
            (id(place.module), place.shared.expert, place.parameter): shared
            for shared, (place, _) in statistics.items()
            if isinstance(place.module, Experts)
        }

    def on(self) -> ExitStack:
        stack = ExitStack()
        mixtures: dict[int, Experts] = {}
        for shared, (place, _) in self._statistics.items():
            if isinstance(place.module, Experts):
                mixtures[id(place.module)] = place.module
            else:
                handle = place.module.register_forward_pre_hook(self._hook(shared))
                _ = stack.callback(handle.remove)
        for mixture in mixtures.values():
            stack.enter_context(mixture.shown_to(self._expert_hook(mixture)))
        return stack

    def _hook(self, shared: SharedInput) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        return lambda _, given: self._show(shared, given[0])

    def _expert_hook(self, mixture: Experts) -> Callable[[int, str, Tensor], None]:
        def seen(expert: int, parameter: str, inputs: Tensor) -> None:
            shared = self._of_experts.get((id(mixture), expert, parameter))
            if shared is not None:
                self._show(shared, inputs)

        return seen

    def _show(self, shared: SharedInput, inputs: Tensor) -> None:
        vectors = inputs.reshape(-1, shared.columns).contiguous().numpy()
        self.tokens[shared] += len(vectors)
        for statistic in self._statistics[shared][1]:
            statistic.add(vectors)
