"""What is in a folder, or was recomputed, against what its record says: a line for each difference."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from lineal.checkpoint.content.hashing import FolderHashes
from lineal.checkpoint.content.identity import Leaf, Manifest, gives_layout_hash, layout_hash
from lineal.checkpoint.package import CARD
from lineal.checkpoint.reader import Checkpoint
from lineal.derivation.hashes import format_hash
from lineal.lineage.records.lineal_json import Provenance
from lineal.shown import quoted


def manifest_faults(expected: Manifest, found: Manifest, where: str, entries: str) -> Iterator[str]:
    """where: the found one is; entries: what those of its package are."""
    ours = {leaf.name: leaf for leaf in expected.leaves}
    theirs = {leaf.name: leaf for leaf in found.leaves}
    for name in sorted(ours.keys() | theirs.keys(), key=str.encode):
        if name not in theirs:
            yield f"tensor {quoted(name)} is missing"
        elif name not in ours:
            yield f"tensor {quoted(name)} does not belong here"
        elif ours[name] != theirs[name]:
            yield f"tensor {quoted(name)} differs: recorded {_difference(ours[name], theirs[name], where)}"
    yield from _mapping_faults(entries, expected.package, found.package)


def _difference(was: Leaf, now: Leaf, where: str) -> str:
    """The bytes, or where they are equal what they are taken for."""
    if was.data_hash != now.data_hash:
        return f"{format_hash(was.data_hash)[:11]}, {where} {format_hash(now.data_hash)[:11]}"
    return f"{was.dtype} {list(was.shape)}, {where} {now.dtype} {list(now.shape)} of the same bytes"


def named_as_recorded(checkpoint: Checkpoint, found: FolderHashes, provenance: Provenance) -> FolderHashes:
    """A lone file may be called otherwise by now: nothing of it depends on its name."""
    if not checkpoint.lone or len(provenance.hashes.files) != 1 or len(found.files) != 1:
        return found
    return replace(found, files=dict(zip(provenance.hashes.files, found.files.values(), strict=True)))


def record_faults(expected: Manifest, provenance: Provenance, found: FolderHashes, record: str) -> Iterator[str]:
    """What lies outside the model's identity: headers, stamps in configs, and the record itself; a card may change."""
    if provenance.hashes.manifest.model_hash != expected.model_hash:
        yield f"{record} is of another model, {format_hash(provenance.hashes.manifest.model_hash)[:11]}"
    package = expected.package.keys() | found.manifest.package.keys()
    identity = {path for path in package if expected.package.get(path) != found.manifest.package.get(path)}
    recorded = {path: file for path, file in provenance.hashes.files.items() if path not in {*identity, CARD}}
    present = {path: file for path, file in found.files.items() if path in recorded}
    yield from _mapping_faults("file", recorded, present)
    yield from layout_faults(expected, provenance.layout_hash, found, record)
    if provenance.hashes.licence not in (None, found.licence):
        yield f"{record} holds the hash of other licence files than those that are here"
    told, same = provenance.hashes.parameters, found.manifest.model_hash == provenance.hashes.manifest.model_hash
    if same and told not in (found.parameters, found.manifest.elements):  # codes were once counted as stored
        yield f"{record} tells of {told:,} parameters, here are {found.parameters:,}"


def layout_faults(expected: Manifest, told: bytes | None, found: FolderHashes, by: str) -> Iterator[str]:
    """A layout hash that these weights, being those expected, do not have; by: who tells of it."""
    made_of, published = found.manifest, found.published
    if told is None or published is None or made_of.weights_hash != expected.weights_hash:
        return
    if not gives_layout_hash(told, made_of, published):
        here = format_hash(layout_hash(made_of, published))[:11]
        yield f"{by} tells of the layout hash {format_hash(told)[:11]}, that of the weights here is {here}"


def _mapping_faults(what: str, expected: Mapping[str, object], found: Mapping[str, object]) -> Iterator[str]:
    for path in sorted(expected.keys() | found.keys()):
        if path not in found:
            yield f"{what} {path} is missing"
        elif path not in expected:
            yield f"{what} {path} does not belong here"
        elif expected[path] != found[path]:
            yield f"{what} {path} differs from the record"
