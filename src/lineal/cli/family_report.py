"""How a plan and a finished run are shown."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from lineal.api.model import Model
from lineal.cli.columns import columns
from lineal.cli.terminal import print_json, say
from lineal.derivation.hashes import parse_hash
from lineal.family.build.plan import PlannedModel, require_room
from lineal.lineage.registry import Registry


def print_plan(plan: Sequence[PlannedModel], out: Path, *, as_json: bool = False) -> None:
    """What building a family into `out` would do; the answer is no where the disk has no room for it."""
    if as_json:
        print_json([asdict(model) for model in plan])
    else:
        _print_table(plan)
    require_room(plan, out)


def _print_table(plan: Sequence[PlannedModel]) -> None:
    rows = [("model", "how", "from", "status", "parameters", "size")]
    for model in plan:
        size = f"{model.tensor_bytes / 1e6:,.1f} MB"
        rows.append((model.name, model.how, ", ".join(model.parents), model.status, f"{model.parameters:,}", size))
    missing = [model for model in plan if model.status == "to build"]
    say(*columns(rows, right=(4, 5)))
    say(f"{len(missing)} to build, {sum(m.tensor_bytes for m in missing) / 1e6:,.1f} MB to write")
    say(*(costs for model in plan for costs in _costs(model)))
    say(*(f"{model.name}: {model.note}" for model in plan if model.note))


def _costs(model: PlannedModel) -> Iterator[str]:
    if model.bytes_read is not None and model.memory_bytes is not None:
        read, memory = f"{model.bytes_read / 1e6:,.1f} MB", f"{model.memory_bytes / 1e6:,.0f} MB"
        takes = "" if model.seconds is None else ", takes an estimated {:,.0f} to {:,.0f} s".format(*model.seconds)
        yield f"{model.name}: reads {read} in all, holds about {memory}{takes}"


def print_built(registry: Registry, built: Mapping[str, Model], as_json: bool) -> None:
    """The family as it stands: as JSON a model a name, else the tree."""
    if as_json:
        models = {name: (model, registry.evaluations(parse_hash(model.hash))) for name, model in built.items()}
        print_json(
            {
                name: {
                    "model_hash": model.hash,
                    "folder": str(model.path),
                    "perplexity": {e.text: e.perplexity for e in evaluations},
                }
                for name, (model, evaluations) in models.items()
            }
        )
        return
    from lineal.cli.family_tree import print_tree

    print_tree(registry, [parse_hash(model.hash) for model in built.values()])
