"""How versions are written."""

from collections.abc import Sequence

from lineal.lineage.records.records import ModelVersion


def version_lines(versions: Sequence[ModelVersion]) -> list[str]:
    """A line a version: its name and number, stage, tags, score and metrics; the first two stand under each other."""
    widths = [max(map(len, column)) for column in zip(*map(_columns, versions), strict=True)]
    return [_line(version, widths) for version in versions]


def _line(version: ModelVersion, widths: Sequence[int]) -> str:
    cells = [cell.ljust(width) for cell, width in zip(_columns(version), widths, strict=True)]
    if version.tags:
        cells.append(f"tagged {', '.join(version.tags)}")
    if version.quality_score is not None:
        cells.append(f"score {version.quality_score:.10g}")
    cells += [f"{metric} {figure:.10g}" for metric, figure in version.metrics.items()]
    return "  ".join(cells).rstrip()


def _columns(version: ModelVersion) -> tuple[str, str]:
    return str(version), version.stage.value
