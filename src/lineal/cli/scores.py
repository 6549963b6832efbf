"""How evaluations are shown."""

from collections.abc import Sequence

from lineal.cli.terminal import print_json
from lineal.lineage.records.records import Evaluation
from lineal.lineage.registry import Registry


def print_scores(registry: Registry, scores: Sequence[tuple[str, Evaluation]], as_json: bool) -> None:
    """A row a model and text (and reference, where there are several)."""
    rows = [
        {
            "model": model,
            "text": e.text,
            "perplexity": e.perplexity,
            "bits_per_byte": e.bits_per_byte,
            "kl": e.kl,
            "kl_from": registry.label(e.reference) if e.reference else None,
            "tokens": e.tokens,
            **e.settings,
        }
        for model, e in scores
    ]
    if as_json:
        print_json(rows)
        return
    from lineal.cli.tables import show, table

    known = table("model", "text", right=("perplexity", "bits per byte", "KL (nats a token)", "tokens"))
    for model, e in scores:
        kl = f"{e.kl:.4f} from {registry.label(e.reference)}" if e.kl is not None and e.reference else "-"
        known.add_row(model, e.text, f"{e.perplexity:.2f}", f"{e.bits_per_byte:.3f}", kl, f"{e.tokens:,}")
    show(known)
