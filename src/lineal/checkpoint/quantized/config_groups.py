"""The schemes that a folder of compressed-tensors says its layers are stored in, and which layer is in which.

Source: https://github.com/vllm-project/compressed-tensors (config_groups of a quantization_config).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, cast, final

from lineal.checkpoint.quantized.folder import QuantizedFolder
from lineal.errors import CheckpointError
from lineal.expressions import Expressions
from lineal.shown import quoted

BY_SHAPE = "shape"
"""A strategy that no config names: what shares a scale follows from the shape of the scales."""

_EXPRESSION = "re:"
_MOST_SCHEMES = 64
"""Each layer is held against each of them."""

_BY_SHAPE = "float-quantized"
"""The format in which that is clear, so that a config may leave its groups out."""


@final
@dataclass(frozen=True)
class Scheme:
    """How a group's weights are stored. group: columns that share a scale, where the config says it; block: rows and
    columns that do; ordered: whether columns may be in another order of groups."""

    form: str
    bits: int
    kind: Literal["int", "float"]
    symmetric: bool
    strategy: str
    group: int | None
    block: tuple[int, int] | None
    ordered: bool


@final
@dataclass(frozen=True)
class Group:
    """targets: names of layers, of classes of layers, and expressions."""

    targets: tuple[str, ...]
    scheme: Scheme


@final
class Groups:
    """All groups of one config."""

    def __init__(self, folder: QuantizedFolder) -> None:
        self._folder = folder
        self._groups = tuple(_groups(folder))
        if len(self.schemes) > _MOST_SCHEMES:
            raise folder.fault(f"its config_groups are {len(self.schemes)} schemes; at most {_MOST_SCHEMES} are read")
        self._expressions = Expressions(folder.label, CheckpointError)

    def of(self, module: str, fitting: Sequence[Scheme]) -> Scheme:
        """The scheme of a layer, of those that its tensors fit; where these are several, targets decide.

        Names of targets are those of the layers in memory, which may begin otherwise than those of tensors: what its
        tensors say counts first.
        """
        different = tuple(dict.fromkeys(fitting))
        if len(different) == 1:
            return different[0]
        named = [one.scheme for one in self._groups if one.scheme in different and self._names(one, module)]
        found = tuple(dict.fromkeys(named)) or different
        if len(found) != 1:
            raise self._folder.fault(
                f"{quoted(module)} may be stored in {len(found)} of its config_groups, and none names it alone"
            )
        return found[0]

    @cached_property
    def schemes(self) -> tuple[Scheme, ...]:
        """Those there are."""
        return tuple(dict.fromkeys(one.scheme for one in self._groups))

    def _names(self, group: Group, module: str) -> bool:
        """Whether a group names this layer, rather than a class of layers."""
        return any(
            self._expressions.begins(target.removeprefix(_EXPRESSION), module)
            if target.startswith(_EXPRESSION)
            else module == target or module.endswith(f".{target}")
            for target in group.targets
        )


def _groups(folder: QuantizedFolder) -> Iterator[Group]:
    form = folder.settings.get("format")
    groups = folder.settings.get("config_groups")
    if groups is None and form == _BY_SHAPE:
        yield Group((), Scheme(_BY_SHAPE, 8, "float", True, BY_SHAPE, None, None, False))
        return
    if not isinstance(groups, Mapping) or not groups:
        raise folder.fault("quantization_config has no config_groups, which say how its weights are stored")
    for name, group in cast(Mapping[str, Any], groups).items():
        described = cast(Mapping[str, Any], group) if isinstance(group, Mapping) else {}
        weights = described.get("weights")
        targets = described.get("targets")
        if not isinstance(targets, list) or not all(isinstance(one, str) for one in cast(list[Any], targets)):
            raise folder.fault(f"config_groups.{name}: targets must be a list of texts, got {quoted(targets)}")
        if weights is None:  # activations alone
            continue
        if not isinstance(weights, Mapping):
            raise folder.fault(f"config_groups.{name}: weights must be a mapping, got {quoted(weights)}")
        stored_as = described.get("format") or form
        yield Group(tuple(cast(list[str], targets)), _scheme(folder, name, stored_as, cast(Mapping[str, Any], weights)))


def _scheme(folder: QuantizedFolder, name: str, form: object, weights: Mapping[str, Any]) -> Scheme:
    place = f"config_groups.{name}.weights"
    bits, kind, group = weights.get("num_bits", 8), weights.get("type", "int"), weights.get("group_size")
    if type(bits) is not int or not 1 <= bits <= 8 or kind not in ("int", "float"):
        raise folder.fault(f"{place}: {quoted(bits)} bits of type {quoted(kind)} are not read")
    if group is not None and (type(group) is not int or (group < 1 and group != -1)):
        raise folder.fault(f"{place}: group_size must be a number of columns, got {quoted(group)}")
    group = None if group in (None, -1) else group
    symmetric = weights.get("symmetric", True)
    strategy = weights.get("strategy") or ("group" if group else "channel" if weights.get("group_size") else "tensor")
    if strategy not in ("tensor", "channel", "group", "block", "tensor_group") or not isinstance(form, str):
        raise folder.fault(f"{place}: the strategy {quoted(strategy)} in the format {quoted(form)} is not read")
    block = _block(folder, place, weights.get("block_structure")) if strategy == "block" else None
    ordered = weights.get("actorder") in (True, "group", "dynamic")
    return Scheme(form, bits, kind, bool(symmetric), strategy, group, block, ordered)


def _block(folder: QuantizedFolder, place: str, block: object) -> tuple[int, int]:
    """Two sizes, which older folders write as 128x128."""
    sizes = cast(list[Any], block) if isinstance(block, list) else block.split("x") if isinstance(block, str) else []
    found = [int(one) if str(one).isdecimal() and len(str(one)) < 10 else 0 for one in sizes]
    if len(found) != 2 or min(found) < 1:
        raise folder.fault(f"{place}: block_structure must be two sizes, got {quoted(block)}")
    return found[0], found[1]
