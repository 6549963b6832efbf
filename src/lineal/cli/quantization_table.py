"""The report of a quantization: a row a tensor, those that are not exact together, and all of them."""

from typing import TYPE_CHECKING

from lineal.cli.tables import show, table

if TYPE_CHECKING:
    from lineal.lineage.records.quantization_report import QuantizationReport, Stored

_FIGURES = (
    *("weights", "bits", "bytes", "SQNR (dB)", "mean squared error", "largest error"),
    *("outliers", "shifted blocks"),
)


def print_report(report: "QuantizationReport") -> None:
    rows = table("tensor", "type", right=_FIGURES, header_style="dim")
    for (name, dtype), one in report.tensors.items():
        rows.add_row(name, dtype, *_figures(one))
    rows.add_row("rounded", "", *_figures(report.rounded))
    rows.add_row("all", "", *_figures(report.total))
    show(rows)


def _figures(stored: "Stored") -> list[str]:
    rounding = stored.rounding
    ratio = "-" if rounding.decibels is None else f"{rounding.decibels:.2f}"
    return [
        f"{stored.weights:,}",
        f"{stored.bits_per_weight:.4g}",
        f"{stored.stored_bytes:,}",
        ratio if rounding.squared_error else "exact",
        f"{stored.mean_squared_error:.3e}",
        f"{rounding.largest_error:.3e}",
        f"{rounding.outliers:,}",
        f"{rounding.shifted_blocks:,}",
    ]
