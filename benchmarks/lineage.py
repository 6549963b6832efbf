"""make bench-lineage: a generated registry of a million models, and how long its answers take."""

import argparse
import os
import platform
import random
import shutil
import sqlite3
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar, final

from checkpoints import BASE, checkpoints, shape_of
from history import keep
from measure import measure, median
from rehash import cold_share, second_look_ms, warm_share

from lineal.checkpoint.content.identity import Leaf, manifest_of
from lineal.derivation import Input, Step
from lineal.lineage.questions import ancestry
from lineal.lineage.records.evidence import Evidence
from lineal.lineage.records.records import ModelRecord, Name, StepRecord
from lineal.lineage.registry import Registry

T = TypeVar("T")

_HERE = Path(__file__).parent
_BULK = 100_000
"""Models in a transaction, or steps, or names."""
_GREAT_FAMILY = 10
"""One in so many models descends from the very first; the others are in families of a hundred."""
_FAMILY = 100
_MERGED = 0.2
"""Share of models with a second parent."""
_NAMED = 10
"""One model in so many has a name."""
_ASKED = 1000
_PAGE = 50
_PARAMETERS = 660e6
"""Of the checkpoint, in bfloat16, that is hashed again."""
_COMMANDS = {"SQLite": "make bench-lineage", "PostgreSQL": "benchmarks/lineage.py --registry URL"}
_BASELINE = "import typer, sqlalchemy, rich.tree"


@final
@dataclass(frozen=True)
class Row:
    what: str
    figure: str
    target: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=1_000_000, help="how many; 1,000,000")
    parser.add_argument("--registry", metavar="URL", help="an empty PostgreSQL database; an SQLite file of its own")
    parser.add_argument("--out", type=Path, help="the page to write; LINEAGE.md, or LINEAGE-POSTGRESQL.md")
    parser.add_argument("--work", type=Path, default=_HERE / "work" / "lineage", help="where the registry is made")
    arguments = parser.parse_args()
    shutil.rmtree(arguments.work, ignore_errors=True)
    arguments.work.mkdir(parents=True)
    load = os.getloadavg()[0]
    rows = list(_measured(arguments.registry or arguments.work / "registry.db", arguments.models))
    if not arguments.registry:
        rows += _hashed_again(arguments.work)
    out = arguments.out or _HERE / ("LINEAGE-POSTGRESQL.md" if arguments.registry else "LINEAGE.md")
    database = "PostgreSQL" if arguments.registry else "SQLite"
    keep(out, _introduction(arguments.models, database), _measured(rows, load))
    print(out.read_text())
    shutil.rmtree(arguments.work)


def _measured(place: str | Path, count: int) -> Iterator[Row]:
    parents, draws = _graph(count), random.Random(1)
    with Registry.open(place) as registry:
        if ancestry.roots(registry):
            sys.exit(f"{registry.place} is not empty")
        empty = _size(registry)
        seconds = _in_bulk(count, _model, registry.add_models)
        yield Row("models added, a second", f"{count / seconds:,.0f}", "20,000")
        yield Row("bytes a model without tensors", f"{(_size(registry) - empty) / count:,.0f}", "1,024")
        edges = sum(map(len, parents))
        before = _size(registry)
        seconds = _in_bulk(count, lambda number: _step(number, parents[number]), registry.record_all)
        yield Row("steps recorded, a second", f"{count / seconds:,.0f}", "")
        yield Row("bytes a step", f"{(_size(registry) - before) / count:,.0f}", "")
        yield Row("edges", f"{edges:,}", "")
        named = count // _NAMED
        seconds = _in_bulk(named, lambda number: Name("bench", f"model-{number}", _hash(number)), registry.set_names)
        yield Row("models named, each with an entry of the journal, a second", f"{named / seconds:,.0f}", "")
        _settle(registry)
        asked = [_hash(draws.randrange(count)) for _ in range(_ASKED)]
        in_families = [_hash(draws.randrange(count // _GREAT_FAMILY, count)) for _ in range(_ASKED)]
        yield _percentile("ancestors, p99 ms", [_ms(lambda m=m: ancestry.ancestors(registry, m)) for m in asked], "2")
        found = [_ms(lambda m=m: ancestry.descendants(registry, m)) for m in in_families]
        yield _percentile("descendants of typical models, p99 ms", found, "2")
        root = _hash(0)
        reached = len(ancestry.descendants(registry, root))
        page = [_ms(lambda: ancestry.descendants(registry, root, _PAGE)) for _ in range(9)]
        yield Row(f"first page of {reached:,} descendants, ms", f"{statistics.median(page):.1f}", "30")
        registry.taint(root, "a benchmark", "bench-lineage")
        standing = [_ms(registry.taints) for _ in range(15)]
        yield Row(f"taint of a root with {reached:,} descendants, ms", f"{statistics.median(standing):.0f}", "300")
        found = [_ms(lambda m=m: registry.taints_of(m)) for m in asked]
        yield _percentile("whether a model is tainted, p99 ms", found, "")
        registry.set_name(Name("bench", "one", _hash(count - 1)))
        yield Row("bytes a tensor reference, equal leaves once", f"{_a_reference(registry):.0f}", "40")
    yield _log(place)


def _hashed_again(work: Path) -> Iterator[Row]:
    """What verification does first, beside what it could do at best; needs no registry."""
    folder = checkpoints(work.parent, shape_of(_PARAMETERS))[BASE]
    yield Row("hashing a model again, warm, of two-thread BLAKE3 in memory", f"{warm_share(folder):.0%}", "85%")
    yield Row("hashing a model again, cold, of reading past the cache", f"{cold_share(folder):.0%}", "95%")
    yield Row("looking at an unchanged model again, ms", f"{second_look_ms(folder, work / 'hashes.db'):.0f}", "")


def _graph(count: int) -> list[tuple[int, ...]]:
    """The parents of each model, all before it."""
    draws, great = random.Random(0), max(2, count // _GREAT_FAMILY)
    parents: list[tuple[int, ...]] = [()]
    for model in range(1, count):
        first = 0 if model < great else great + (model - great) // _FAMILY * _FAMILY
        if model == first:
            parents.append(())
            continue
        chosen = [draws.randrange(first, model) for _ in range(2)]
        parents.append(tuple(dict.fromkeys(chosen if draws.random() < _MERGED else chosen[:1])))
    return parents


def _model(number: int) -> ModelRecord:
    return ModelRecord(manifest_of([], {"config.json": number.to_bytes(32, "big")}))


def _hash(number: int) -> bytes:
    return _model(number).manifest.model_hash


def _in_bulk(count: int, make: Callable[[int], T], keep: Callable[[list[T]], object]) -> float:
    """The seconds that the registry takes, which are not those of making things up for it."""
    seconds = 0.0
    for start in range(0, count, _BULK):
        made = [make(number) for number in range(start, min(count, start + _BULK))]
        seconds += _timed(partial(keep, made))
    return seconds


def _step(number: int, parents: Sequence[int]) -> StepRecord:
    kind = ("original", "fine-tune", "merge")[len(parents)]
    inputs = tuple(Input("parent", _hash(parent)) for parent in parents)
    done = Step(type=kind, method="bench", inputs=inputs, options={"number": number})
    return StepRecord(done, _hash(number), Evidence.RECORDED, {"lineal": "bench"}, 1.0, 1.0)


def _a_reference(registry: Registry) -> float:
    """What a model's mention of a tensor costs that others have, too."""
    leaves = [Leaf(f"model.layers.{i}.weight", "BF16", (64, 64), 8192, i.to_bytes(32, "big")) for i in range(400)]
    models = [ModelRecord(manifest_of(leaves, {"config.json": bytes([255, i]) * 16})) for i in range(200)]
    registry.add_models(models[:1])
    before = _size(registry)
    registry.add_models(models[1:])
    return (_size(registry) - before) / (len(leaves) * (len(models) - 1))


def _log(place: str | Path) -> Row:
    """Of one model as a process, against the imports that it cannot do without."""
    ours = [sys.executable, "-m", "lineal", "log", "bench:one", "--registry", str(place)]
    base = [sys.executable, "-c", _BASELINE]
    runs = [(measure(ours, Path(os.devnull)), measure(base, Path(os.devnull))) for _ in range(7)]
    times = median([run for run, _ in runs]).seconds / median([run for _, run in runs]).seconds
    return Row(f"lineal log of one model, times `{_BASELINE}`", f"{times:.2f}", "1.5")


def _size(registry: Registry) -> int:
    """The bytes of the database, once everything has been written into it."""
    with registry.reading() as connection:
        if connection.dialect.name == "postgresql":
            return connection.execute_raw("SELECT pg_database_size(current_database())").scalar_one()
    connection = sqlite3.connect(registry.place)
    _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    connection.close()
    return Path(registry.place).stat().st_size


def _settle(registry: Registry) -> None:
    """Do at once what PostgreSQL's autovacuum does within a minute of a bulk."""
    with registry._store.writing() as connection:  # noqa: SLF001  no call of the registry's is for this
        if connection.dialect.name == "postgresql":
            _ = connection.execute_raw("ANALYZE")


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _ms(work: Callable[[], object]) -> float:
    return 1000 * _timed(work)


def _percentile(what: str, found: Sequence[float], target: str) -> Row:
    return Row(what, f"{statistics.quantiles(found, n=100)[98]:.2f}", target)


def _introduction(count: int, database: str) -> str:
    return (
        f"# The lineage in {database}\n\n"
        f"`{_COMMANDS[database]}`: a generated registry of {count:,} models; a tenth descends from one, the others\n"
        "are families of a hundred, each model made from an earlier one of its family, a fifth of them from two."
    )


def _measured(rows: Sequence[Row], load: float) -> str:
    where = f"{platform.system()}, Python {platform.python_version()}, load {load:.1f} at the start.\n"
    table = ["| what | measured | target |\n| - | - | - |"]
    return "\n".join([where, *table, *(f"| {row.what} | {row.figure} | {row.target} |" for row in rows)])


if __name__ == "__main__":
    main()
