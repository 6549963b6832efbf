"""lineal adopt: where weights of unknown origin come from."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lineal.cli.options import JsonOption, RegistryOption, ThreadsOption
from lineal.cli.terminal import print_json, remark, say

if TYPE_CHECKING:
    from lineal.family.origin.adopt import Answer, Explanation

_SHOWN = 6

EXAMPLES = """
Exit code 0: adopted, or known already; 1: no known model is its parent, as far as the weights tell.

Examples:

  lineal adopt ./downloaded                      compare with every known model, and keep the likeliest step

  lineal adopt ./downloaded --dry-run            only say what would be kept

  lineal adopt ./downloaded --candidates ./hub   also with the models in a folder
"""


def adopt(
    model: Annotated[str, typer.Argument(metavar="PATH", help="A model folder or a GGUF, or the name of one.")],
    candidates: Annotated[
        list[Path] | None,
        typer.Option("--candidates", metavar="DIR", help="A model, or a folder of models, to compare with as well."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be kept, and keep nothing.")] = False,
    threads: ThreadsOption = None,
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Rank the known models that weights of unknown origin may come from, and keep the likeliest step as inferred."""
    from lineal.cli.session import open_session
    from lineal.errors import AnswerIsNo
    from lineal.family.origin.adopt import explain, keep

    with open_session(registry, threads, must_exist=True) as session:
        answer = explain(session, model, candidates or ())
        remarks = (*answer.remarks, *(() if dry_run else keep(session, answer)))
    remark(*remarks)
    if as_json:
        print_json(_json(answer, kept=not dry_run))
    else:
        _print(answer)
    if answer.same is None and answer.best is None:
        related = next((one for one in answer.ranking if one.finding.relation.is_kin), None)
        near = "" if related is None else f"; the nearest is {related.label}, {related.finding.relation.value}"
        raise AnswerIsNo(f"no known model is the parent of {model}, as far as the weights tell{near}")


def _print(answer: "Answer") -> None:
    from lineal.cli.tables import show, table

    if answer.same is not None:
        say(f"this very model is known as {answer.same}")
        return
    ranked = table("score", "step", "from", "why", header_style="dim")
    for one in answer.ranking[:_SHOWN]:
        step = one.finding.relation.value if not one.is_parent else one.made_by
        score = f"{one.finding.score:.4f}" if one.finding.relation.is_kin else "-"
        ranked.add_row(score, step, one.label, one.finding.sentence)
    show(ranked)


def _json(answer: "Answer", *, kept: bool) -> dict[str, object]:
    from lineal.derivation.hashes import format_hash

    return {
        "model": format_hash(answer.local.model_hash),
        "same": answer.same,
        "kept": kept and answer.best is not None,
        "ranking": [_explanation(one) for one in answer.ranking],
        "remarks": list(answer.remarks),
    }


def _explanation(one: "Explanation") -> dict[str, object]:
    from lineal.derivation.hashes import format_hash

    found = one.finding
    return {
        "relation": found.relation.value,
        "type": found.kind if one.is_parent else None,
        "method": found.method if one.is_parent else None,
        "options": dict(found.options),
        "inputs": [
            {"role": role, "label": local.label, "model": format_hash(local.model_hash)} for role, local in one.inputs
        ],
        "score": found.score,
        "p_value": found.p_value,
        "reason": found.sentence,
    }
