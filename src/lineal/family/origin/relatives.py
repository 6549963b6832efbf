"""Known models beside weights of unknown origin: found by hashes and headers, compared in windows, ranked."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

from lineal.checkpoint.content.identity import Leaf
from lineal.checkpoint.headers.gguf_parts import is_later_part
from lineal.checkpoint.inside import resolved
from lineal.checkpoint.quantized.folder import is_quantized, settings_of
from lineal.checkpoint.quantized.scheme import stored_type
from lineal.engines.compare.distances import comparable, distances
from lineal.engines.compare.kinship.alignment import aligned, matched_blocks
from lineal.engines.compare.kinship.contrast import Sampled, contrast, sampled
from lineal.engines.compare.kinship.judgement import Facts, Finding, Relation, judge, with_ranks
from lineal.engines.compare.kinship.ranks import may_be_low
from lineal.engines.compare.kinship.windows import Windows, is_matrix, read, spots
from lineal.engines.parents.model import Model
from lineal.errors import LinealError
from lineal.family.build.weights import own_weights
from lineal.family.session import LocalModel, Session
from lineal.lineage.questions.ancestry import depth
from lineal.lineage.questions.candidates import candidates
from lineal.lineage.questions.difference import weights
from lineal.lineage.records.records import another_layout

_MATRICES = 48
"""Of a model, that are looked at in a candidate's; a quarter of them would have to agree by chance."""

_MOST_KIN = 5
"""The nearest models, of which combinations are tried."""

_ROUNDING = {"F64": 2.0**-24, "F32": 2.0**-24, "F16": 2.0**-11}
"""Half a unit in the last place, relative, as float32 sees it; of every other dtype that of BF16 is taken."""

_BF16 = 2.0**-8


@final
@dataclass(frozen=True)
class Candidate:
    """A known model, opened. depth: derivations between it and its roots; shared: bytes of tensors that both hold."""

    local: LocalModel
    model: Model
    depth: int
    shared: int


@final
@dataclass(frozen=True)
class Relative:
    """A candidate and what its weights say; names: the unknown model's tensor -> its own; windows: what was read."""

    candidate: Candidate
    finding: Finding
    names: Mapping[str, str]
    windows: Windows
    change: float

    @property
    def label(self) -> str:
        return self.candidate.local.label

    @property
    def model_hash(self) -> bytes:
        return self.candidate.local.model_hash


def candidates_for(session: Session, child: LocalModel, folders: Sequence[Path]) -> tuple[list[Candidate], list[str]]:
    """Every known model that can be compared, and those in `folders`; and why others could not be opened."""
    registry, found, remarks = session.registry, list[Candidate](), list[str]()
    sizes = {leaf.data_hash: leaf.byte_length for leaf in child.published}
    seen = {child.model_hash}
    places = [*candidates(registry, child.record), *(place for folder in folders for place in _inside(folder))]
    for place in places:
        try:
            local = session.by_hash(place) if isinstance(place, bytes) else _placed(session, place)
            if local.model_hash in seen:
                continue
            seen.add(local.model_hash)
            local = _on_its_base(session, local)
            model = own_weights(local)
        except LinealError as error:
            remarks.append(f"not compared: {error}")
            continue
        shared = sum(sizes.get(data, 0) for data in {leaf.data_hash for leaf in local.published})
        known = registry.knows(local.model_hash)
        found.append(Candidate(local, model, depth(registry, local.model_hash) if known else 0, shared))
    return found, remarks


def looked_at(model: Model) -> Sampled:
    """The windows of the unknown model that all candidates are compared with."""
    chosen = spots(model, _MATRICES)
    windows = read(model, [(spot, spot.name) for spot in chosen])
    return sampled(windows, _dtypes(model, {spot.name: spot.name for spot in chosen}))


def compared(
    session: Session, child: LocalModel, model: Model, mine: Sampled, found: Sequence[Candidate]
) -> tuple[Relative, ...]:
    """Each candidate, judged by windows of both; those of the nearest relatives are kept."""
    relatives: list[Relative] = []
    with session.progress.task("comparing windows", len(found), "steps") as advance:
        for candidate in found:
            relatives.append(_compared(child, model, mine, candidate, len(found)))
            kept = {id(one) for one in nearest(relatives)}
            relatives = [one if id(one) in kept else replace(one, windows={}) for one in relatives]
            advance(1)
    return tuple(relatives)


def nearest(relatives: Sequence[Relative]) -> list[Relative]:
    """Those that a combination could be made of: a few, the nearest first."""
    near = (one for one in relatives if one.finding.relation in (Relation.PARENT, Relation.SIBLING))
    return sorted(near, key=lambda one: one.change)[:_MOST_KIN]


def ranked(relatives: Sequence[Relative]) -> list[Relative]:
    """The likeliest parent first: by what it is, what its step leaves unexplained, and on a tie the simplest."""
    order = list(Relation)
    return sorted(
        relatives,
        key=lambda one: (
            order.index(one.finding.relation),
            one.finding.unexplained,
            one.change,
            -one.candidate.shared,
            one.candidate.depth,
            one.label,
        ),
    )


def measured(session: Session, model: Model, sample: Sampled, best: Relative) -> Relative:
    """The best, with the ranks of all that changed: where they may be low, both models' matrices are read whole."""
    if best.finding.kind != "fine-tune" or best.finding.relation is not Relation.PARENT:
        return best
    if best.windows and not may_be_low(sample.windows, best.windows, rounding_of(model)):
        return best
    theirs = best.candidate.model
    mine = replace(model, sources={name: model.sources[name] for name in best.names if is_matrix(model.sources[name])})
    other = replace(theirs, sources={name: theirs.sources[there] for name, there in best.names.items()})
    names = comparable(other, mine)
    unread = sum(one.sources[name].spec.byte_length for one in (mine, other) for name in names)
    with session.progress.task(f"measuring {best.label}", unread, "bytes") as advance:
        found = distances(other, mine, threads=session.threads, bytes_done=advance)
    ranks = [(d.rank, min(d.shape[-1], d.shape[0])) for d in found if d.norm and d.rank is not None]
    return replace(best, finding=with_ranks(best.finding, ranks))


def rounding_of(model: Model) -> float:
    """The largest relative error of storing its matrices' entries."""
    stored = (source.dtype for source in model.sources.values() if is_matrix(source))
    return max((_ROUNDING.get(dtype, _BF16) for dtype in stored), default=_BF16)


def _compared(child: LocalModel, model: Model, mine: Sampled, candidate: Candidate, count: int) -> Relative:
    blocks, pairs = matched_blocks(model, candidate.model)
    leaves, theirs = weights(child.published), weights(candidate.local.published)
    equal = _equal(leaves, theirs)
    names = aligned(model, candidate.model, equal, blocks)
    chosen = spots(model, _MATRICES)
    spotted = {spot.name: names[spot.name] for spot in chosen if spot.name in names}
    windows = read(candidate.model, [(spot, spotted[spot.name]) for spot in chosen if spot.name in spotted])
    windows = {name: w for name, w in windows.items() if w.shape[1] == mine.windows[name].shape[1]}
    found = contrast(mine, sampled(windows, _dtypes(candidate.model, spotted)))
    facts = Facts(
        tensors=len(leaves),
        equal=len(equal),
        renamed=sum(name != there for name, there in equal.items()),
        missing=len(candidate.model.sources.keys() - set(names.values())),
        grown=sum(model.sources[name].shape[:1] > candidate.model.sources[names[name]].shape[:1] for name in names),
        another_layout=another_layout(child.record, candidate.local.record),
        codes=_codes(model, candidate.model),
        dtype=Counter(mine.dtypes.values()).most_common(1)[0][0] if mine.dtypes else "",
    )
    return Relative(candidate, judge(found, facts, count * pairs), names, windows, found.change_squares)


def _codes(mine: Model, theirs: Model) -> str:
    """The type that the one's weights are codes of, where the other's are floats."""
    stated = is_quantized(mine.checkpoint) and theirs.checkpoint.form == "full" and not is_quantized(theirs.checkpoint)
    return stored_type(settings_of(mine.checkpoint.config)) if stated else ""


def _equal(mine: Sequence[Leaf], theirs: Sequence[Leaf]) -> dict[str, str]:
    """The unknown model's tensors with the same bytes in the known one -> their name there, the same where it is."""
    there = {leaf.name: leaf.data_hash for leaf in theirs}
    by_data = {(leaf.data_hash, leaf.dtype, leaf.shape): leaf.name for leaf in theirs}
    equal: dict[str, str] = {}
    for leaf in mine:
        if there.get(leaf.name) == leaf.data_hash:
            equal[leaf.name] = leaf.name
        elif (name := by_data.get((leaf.data_hash, leaf.dtype, leaf.shape))) is not None:
            equal[leaf.name] = name
    return equal


def _dtypes(model: Model, names: Mapping[str, str]) -> dict[str, str]:
    """As what each is stored; scaled codes count as what they stand for."""
    sources = {name: model.sources[there] for name, there in names.items()}
    return {name: source.spec.dtype if source.codes is None else source.dtype for name, source in sources.items()}


def _on_its_base(session: Session, local: LocalModel) -> LocalModel:
    """An adapter whose own record names no base stands on the one that its step here has, be it only claimed."""
    if local.form != "adapter" or local.base is not None:
        return local
    for record in session.registry.steps_of(local.model_hash):
        parents = [used.model_hash for used in record.step.inputs if used.role in ("parent", "base")]
        if len(parents) == 1 and session.registry.locations(parents[0]):
            return replace(local, base=session.by_hash(parents[0]))
    return local


def _inside(folder: Path) -> list[Path]:
    """The model that a folder is, or those that lie in it."""
    if not folder.is_dir() or any(folder.glob("*.safetensors")):
        return [folder]
    return [path for path in sorted(folder.iterdir()) if _may_be_model(path)]


def _may_be_model(place: Path) -> bool:
    if place.is_dir():
        return any(place.glob("*.safetensors")) or any(place.glob("*.gguf"))
    return place.suffix == ".gguf" and not is_later_part(place.name)


def _placed(session: Session, place: Path) -> LocalModel:
    return session.identify(session.open(resolved(place).name, place))
