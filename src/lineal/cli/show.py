"""lineal show: everything known of one model."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from lineal.cli.lines import Part, show_lines
from lineal.cli.options import JsonOption, ModelArgument, RegistryOption
from lineal.cli.terminal import print_json
from lineal.errors import UsageError

if TYPE_CHECKING:
    from lineal.cli.tables import Table
    from lineal.derivation.canonical import Json
    from lineal.lineage.licensing.graph import Judgement
    from lineal.lineage.questions.portrait import Portrait
    from lineal.lineage.records.records import StepRecord
    from lineal.lineage.tables.signatures import Signature
    from lineal.lineage.tables.taints import Taint

Row: TypeAlias = tuple[str, Sequence[str]]
"""What is told of a model: under which name, and in which lines; none where there is nothing to tell."""

_NAMES_WIDTH = 17

EXAMPLES = """
Examples:

  lineal show both                    by name, where only one family has it

  lineal show demo:both               by family and name

  lineal show both@production         by a version, its stage or its tag

  lineal show b3:1f2e3d4c             by the beginning of its hash

  lineal show ./models/both --json    by where it lies

  lineal show both.gguf --quantization --picture both.svg
"""


def show(
    model: ModelArgument,
    quantization: Annotated[
        bool, typer.Option("--quantization", help="Of a quantized model, what it cost each tensor.")
    ] = False,
    picture: Annotated[
        Path | None, typer.Option("--picture", metavar="FILE", help="Write what quantizing cost as an SVG.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the picture that stands at FILE.")] = False,
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one model: what it is, how it was made from what, where it lies and what it scores."""
    from lineal.lineage.database.locate import locate
    from lineal.lineage.questions.portrait import portrait
    from lineal.lineage.registry import Registry

    with Registry.open_existing(locate(registry)) as opened:
        known = portrait(opened, opened.resolve(model))
    if quantization or picture is not None:
        _require_report(known)
    if picture is not None:
        _draw(known, picture, force=force)
    if as_json:
        from lineal.lineage.shown.as_json import portrait_as_json

        print_json(portrait_as_json(known))
    elif quantization and known.quantization is not None:
        from lineal.cli.quantization_table import print_report

        print_report(known.quantization)
    else:
        _print(known)


def _require_report(known: "Portrait") -> None:
    if known.quantization is None:
        label = known.labels[known.model.model_hash]
        raise UsageError(f"{label}: no quantization of it was measured: lineal quantize measures what it makes")


def _draw(known: "Portrait", place: Path, *, force: bool) -> None:
    from lineal.checkpoint.written.output_file import write_output
    from lineal.lineage.shown.rounding_picture import draw_rounding, is_rounding

    if known.quantization is not None:
        drawn = draw_rounding(known.quantization, known.labels[known.model.model_hash])
        write_output(place, drawn, "a picture", is_rounding, force=force)


def _print(known: "Portrait") -> None:
    shown: list[list[Part]] = [[(known.labels[known.model.model_hash], "bold")]]
    rows = _identity(known)
    for index, record in enumerate(known.steps):
        rows += [("", ("",)), *_step(known, record, "made by" if index == 0 else "also made by")]
    for name, values in rows:
        for index, value in enumerate(values):
            shown.append([(("" if index else name).ljust(_NAMES_WIDTH), "dim"), (value, "")])
    show_lines(shown)
    if known.evaluations:
        from lineal.cli.tables import line, show

        show(line(""), _scores(known), soft_wrap=True)


def _identity(known: "Portrait") -> list[Row]:
    from lineal.cli.versions import version_lines
    from lineal.derivation.hashes import format_hash
    from lineal.lineage.records.wording import size

    model = known.model
    rows: list[Row] = [
        ("names", [", ".join(map(str, known.names)) or "none"]),
        ("versions", version_lines(known.versions)),
        ("tainted", [f"{_tainting(known, taint)}: {taint.reason}" for taint in known.taints]),
        ("licence", _licence(known.licence)),
        ("model hash", [format_hash(model.model_hash)]),
    ]
    if model.weights_hash is None:
        rows.append(("unresolved", ["others were made from it, but it was never added here"]))
    else:
        rows += [
            ("weights hash", [format_hash(model.weights_hash)]),
            ("layout hash", _layout(known)),
            ("form", [str(model.form)]),
            *_gguf(known),
            ("parameters", [f"{model.parameters:,}"]),
            ("size of tensors", [f"{size(model.tensor_bytes or 0)} ({model.tensor_bytes:,} bytes)"]),
            ("licence texts", [model.licence or "none found"]),
            *_quantization(known),
        ]
    places = [f"{place}{'' if place.exists() else ' (not there any more)'}" for place in known.locations]
    return [
        *rows,
        ("not adapted", known.not_adapted),
        ("signatures", list(map(_signature, known.signatures))),
        ("asked for in", [f"{file.name} ({format_hash(file.content_hash)[:11]})" for file in known.recipes]),
        ("lies at", places or ["no known place"]),
    ]


def _layout(known: "Portrait") -> list[str]:
    """Nothing of adapters and GGUFs, which have no layouts."""
    from lineal.derivation.hashes import format_hash
    from lineal.lineage.questions.layouts import ANOTHER_LAYOUT

    layout_hash = known.model.layout_hash
    if layout_hash is None:
        return ["not known"] if known.model.form == "full" else []
    alike = ", ".join(known.labels[digest] for digest in known.in_another_layout)
    return [format_hash(layout_hash) + (f" ({ANOTHER_LAYOUT}: {alike})" if alike else "")]


def _gguf(known: "Portrait") -> list[Row]:
    if known.gguf is None:
        return []
    rows: list[Row] = [("types", [", ".join(f"{kind} in {count} tensors" for kind, count in known.gguf.types.items())])]
    if known.gguf.architecture is not None:
        rows.append(("architecture", [known.gguf.architecture]))
    if known.gguf.vocabulary is not None:
        rows.append(("vocabulary", [f"{known.gguf.vocabulary:,} tokens"]))
    return rows


def _quantization(known: "Portrait") -> list[Row]:
    report = known.quantization
    if report is None:
        return []
    from lineal.lineage.shown.report_words import headline, worst

    most = worst(report)
    width = max((len(one.name) for one in most), default=0)
    rows: list[Row] = [
        ("quantization", [headline(report)]),
        ("furthest off", [f"{one.name:{width}}  {one.dtype}  SQNR {one.decibels:.2f} dB" for one in most]),
        ("warning", report.warnings),
    ]
    return rows


def _signature(kept: "Signature") -> str:
    from lineal.derivation.hashes import format_hash

    about = "the model" if kept.derivation_id is None else f"the step {format_hash(kept.derivation_id)[:11]}"
    return f"{about}, by key {kept.key_id[:16]}"


def _tainting(known: "Portrait", taint: "Taint") -> str:
    label = known.labels[taint.model]
    return label if taint.data is None else f"{taint.data}, which {label} was made on"


def _licence(judged: "Judgement") -> list[str]:
    """What binds the model, why it holds, or what cannot be kept together."""
    from lineal.lineage.records.licences import told

    if judged.override is not None:
        return [f"{told(judged.joined)}, overridden: {judged.override.because}"]
    return [told(judged.joined), *map(str, judged.conflicts)]


def _step(known: "Portrait", record: "StepRecord", title: str) -> list[Row]:
    from lineal.derivation.hashes import format_hash
    from lineal.lineage.questions.layouts import ANOTHER_LAYOUT
    from lineal.lineage.records.environment import method_package
    from lineal.lineage.shown.as_json import written_time

    step = record.step
    labels = [known.labels[used.model_hash] for used in step.inputs]
    width = max(map(len, labels), default=0)
    inputs = [
        f"{used.role:8} {label:{width}}  {format_hash(used.model_hash)}"
        for used, label in zip(step.inputs, labels, strict=True)
    ]
    data = [f"{file.name}  {format_hash(file.data_hash)}" for file in step.data]
    share = f", {record.share:.0%} of the tensors" if record.share is not None else ""
    found = record.inference
    inferred = (
        [] if found is None else [found.reason, f"by {found.method}, score {found.score:.6g}, p = {found.p_value:.1e}"]
    )
    package = method_package(record.environment)
    source = "" if package is None else f", from the package {package.name} {package.version}"
    rules = "" if step.rules == 1 else f", rules {step.rules}"
    relaid = known.relaid.get((record.child, step.derivation_id))
    same = "" if relaid is None else f"; {ANOTHER_LAYOUT} as {known.labels[relaid]}"
    reproduces = "; gave a model that was there before, so it is not an edge" if record.reproduces else ""
    details = {
        "inputs": inputs,
        "options": [f"{name} = {_value(value)}" for name, value in step.options.items()],
        "data": data,
        "inferred": inferred,
        "environment": [", ".join(f"{name} {_value(value)}" for name, value in record.environment.items())],
    }
    return [
        (title, [f"{step.type}, method {step.method} (version {step.version}{rules}){source}{same}"]),
        *((name, lines) for name, lines in details.items() if any(lines)),
        ("when", [f"{written_time(record.created)}, in {record.seconds:,.1f} s"]),
        ("evidence", [f"{record.evidence.value}{share}{reproduces}"]),
        ("derivation", [format_hash(step.derivation_id)]),
    ]


def _value(value: "Json") -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _scores(known: "Portrait") -> "Table":
    from lineal.cli.tables import table
    from lineal.lineage.records.wording import figure

    figures = ("perplexity", "bits per byte", "KL (nats a token)", "tokens")
    scores = table("text", right=figures, header_style="dim")
    scores.add_column("settings", style="dim")
    for e in known.evaluations:
        kl = "" if e.kl is None or e.reference is None else f"{e.kl:.4f} from {known.labels[e.reference]}"
        settings = ", ".join(f"{name} {_value(value)}" for name, value in e.settings.items())
        bits = "" if e.bits_per_byte is None else f"{e.bits_per_byte:.3f}"
        perplexity = "" if e.perplexity is None else figure(e.perplexity)
        scores.add_row(e.text, perplexity, bits, kl, f"{e.tokens:,}", settings)
    return scores
