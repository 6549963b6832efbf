"""lineal show: everything known of one model."""

import json
from typing import TYPE_CHECKING

from lineal.cli.options import JsonOption, ModelArgument, RegistryOption

if TYPE_CHECKING:
    from rich.table import Table

    from lineal.derivation.canonical import Json
    from lineal.lineage.licensing.graph import Judgement
    from lineal.lineage.portrait import Portrait
    from lineal.lineage.records import StepRecord
    from lineal.lineage.signing.signatures import Signature
    from lineal.lineage.taints import Taint

_NAMES_WIDTH = 17

EXAMPLES = """
Examples:

  lineal show both                    by name, where only one family has it

  lineal show demo:both               by family and name

  lineal show both@production         by a version, its stage or its tag

  lineal show b3:1f2e3d4c             by the beginning of its hash

  lineal show ./models/both --json    by where it lies
"""


def show(
    model: ModelArgument,
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one model: what it is, how it was made from what, where it lies and what it scores."""
    from lineal.lineage.locate import locate
    from lineal.lineage.portrait import portrait
    from lineal.lineage.registry import Registry

    with Registry.open_existing(locate(registry)) as opened:
        known = portrait(opened, opened.resolve(model))
    if as_json:
        from lineal.cli.terminal import print_json
        from lineal.lineage.as_json import portrait_as_json

        print_json(portrait_as_json(known))
    else:
        _print(known)


def _print(known: "Portrait") -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    console.print(Text(known.labels[known.model.model_hash], "bold"))
    rows = _identity(known)
    for index, record in enumerate(known.steps):
        rows += [("", ""), *_step(known, record, "made by" if index == 0 else "also made by")]
    for name, value in rows:
        for line, shown in enumerate(value.split("\n")):
            console.print(
                Text.assemble(("" if line else name).ljust(_NAMES_WIDTH), style="dim").append(shown, "not dim")
            )
    if known.evaluations:
        console.print()
        console.print(_scores(known))


def _identity(known: "Portrait") -> list[tuple[str, str]]:
    from lineal.cli.versions import version_lines
    from lineal.derivation.hashes import format_hash
    from lineal.lineage.wording import size

    model = known.model
    rows = [("names", ", ".join(map(str, known.names)) or "none")]
    if known.versions:
        rows.append(("versions", "\n".join(version_lines(known.versions))))
    if known.taints:
        rows.append(("tainted", "\n".join(f"{_tainting(known, t)}: {_value(t.reason)}" for t in known.taints)))
    rows.append(("licence", _licence(known.licence)))
    rows.append(("model hash", format_hash(model.model_hash)))
    if model.weights_hash is None:
        rows.append(("unresolved", "others were made from it, but it was never added here"))
    else:
        rows += [
            ("weights hash", format_hash(model.weights_hash)),
            ("form", str(model.form)),
            *_gguf(known),
            ("parameters", f"{model.parameters:,}"),
            ("size of tensors", f"{size(model.tensor_bytes or 0)} ({model.tensor_bytes:,} bytes)"),
            ("licence texts", _value(model.licence or "none found")),
        ]
    if known.not_adapted:
        rows.append(("not adapted", "\n".join(map(_value, known.not_adapted))))
    if known.signatures:
        rows.append(("signatures", "\n".join(map(_signature, known.signatures))))
    if known.recipes:
        files = [f"{_value(file.name)} ({format_hash(file.content_hash)[:11]})" for file in known.recipes]
        rows.append(("asked for in", "\n".join(files)))
    places = [f"{_value(str(place))}{'' if place.exists() else ' (not there any more)'}" for place in known.locations]
    return [*rows, ("lies at", "\n".join(places) or "no known place")]


def _gguf(known: "Portrait") -> list[tuple[str, str]]:
    if known.gguf is None:
        return []
    rows = [("types", ", ".join(f"{kind} in {count} tensors" for kind, count in known.gguf.types.items()))]
    if known.gguf.architecture is not None:
        rows.append(("architecture", _value(known.gguf.architecture)))
    if known.gguf.vocabulary is not None:
        rows.append(("vocabulary", f"{known.gguf.vocabulary:,} tokens"))
    return rows


def _signature(kept: "Signature") -> str:
    from lineal.derivation.hashes import format_hash

    about = "the model" if kept.derivation_id is None else f"the step {format_hash(kept.derivation_id)[:11]}"
    return f"{about}, by key {kept.key_id[:16]}"


def _tainting(known: "Portrait", taint: "Taint") -> str:
    label = known.labels[taint.model]
    return label if taint.data is None else f"{_value(taint.data)}, which {label} was made on"


def _licence(judged: "Judgement") -> str:
    """What binds the model, why it holds, or what cannot be kept together."""
    from lineal.lineage.licensing.licences import told

    if judged.override is not None:
        return f"{told(judged.joined)}, overridden: {_value(judged.override.because)}"
    return "\n".join([told(judged.joined), *map(str, judged.conflicts)])


def _step(known: "Portrait", record: "StepRecord", title: str) -> list[tuple[str, str]]:
    from lineal.derivation.hashes import format_hash
    from lineal.lineage.as_json import written_time

    step = record.step
    labels = [known.labels[used.model_hash] for used in step.inputs]
    width = max(map(len, labels), default=0)
    inputs = [
        f"{used.role:8} {label:{width}}  {format_hash(used.model_hash)}"
        for used, label in zip(step.inputs, labels, strict=True)
    ]
    data = [f"{_value(file.name)}  {format_hash(file.data_hash)}" for file in step.data]
    share = f", {record.share:.0%} of the tensors" if record.share is not None else ""
    found = record.inference
    inferred = (
        []
        if found is None
        else [f"{_value(found.reason)}", f"by {found.method}, score {found.score:.6g}, p = {found.p_value:.1e}"]
    )
    rules = "" if step.rules == 1 else f", rules {step.rules}"
    reproduces = "; gave a model that was there before, so it is no edge" if record.reproduces else ""
    details = {
        "inputs": inputs,
        "options": [f"{_value(name)} = {_value(value)}" for name, value in step.options.items()],
        "data": data,
        "inferred": inferred,
        "environment": [", ".join(f"{_value(name)} {_value(value)}" for name, value in record.environment.items())],
    }
    return [
        (title, f"{step.type}, method {_value(step.method)} (version {step.version}{rules})"),
        *((name, "\n".join(lines)) for name, lines in details.items() if any(lines)),
        ("when", f"{written_time(record.created)}, in {record.seconds:,.1f} s"),
        ("evidence", f"{record.evidence.value}{share}{reproduces}"),
        ("derivation", format_hash(step.derivation_id)),
    ]


def _value(value: "Json") -> str:
    from lineal.lineage.wording import printable

    return printable(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _scores(known: "Portrait") -> "Table":
    from rich.table import Table

    from lineal.lineage.wording import figure

    table = Table("text", box=None, pad_edge=False, header_style="dim")
    for column in ("perplexity", "bits per byte", "KL (nats a token)", "tokens"):
        table.add_column(column, justify="right")
    table.add_column("settings", style="dim")
    for e in known.evaluations:
        kl = "" if e.kl is None or e.reference is None else f"{e.kl:.4f} from {known.labels[e.reference]}"
        settings = ", ".join(f"{_value(name)} {_value(value)}" for name, value in e.settings.items())
        bits = "" if e.bits_per_byte is None else f"{e.bits_per_byte:.3f}"
        perplexity = "" if e.perplexity is None else figure(e.perplexity)
        table.add_row(_value(e.text), perplexity, bits, kl, f"{e.tokens:,}", settings)
    return table
