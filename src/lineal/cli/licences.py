"""How licences are written."""

from lineal.lineage.licensing.graph import Judgement


def licence_lines(label: str, judged: Judgement) -> list[str]:
    """The joined licence, then a line for each that goes into it: by which way, and who says so."""
    lines = [f"{label}: {judged.joined}"]
    if judged.override is not None:
        return [*lines, f"  overridden: {judged.override.because}"]
    return [*lines, *(f"  {one}: {one.source}" for one in judged.contributions)]
