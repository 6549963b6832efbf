"""What `lineal adopt` finds of models of known origin, as a table: python -m benchmarks.adoption."""

import tempfile
from contextlib import ExitStack
from pathlib import Path

from lineal.family.origin.adopt import Answer, explain
from lineal.family.session import Session
from lineal.lineage.registry import Registry
from tests.adoptions import CASES, Case, make_zoo


def is_right(case: Case, answer: Answer) -> bool:
    """Whether kind and parents are the true ones; a base may be left out."""
    if case.same:
        return answer.same == case.parents[0]
    if answer.best is None or not case.parents:
        return answer.best is None and not case.parents
    found = {local.label for _, local in answer.best.inputs}
    roles = {local.label for role, local in answer.best.inputs if role == "base"}
    parents = set(case.parents) - {case.base}
    return answer.best.finding.kind == case.kind and found - {case.base} == parents and not roles & parents


def found(answer: Answer) -> str:
    if answer.same is not None:
        return f"{answer.same} | the very model | 1"
    if answer.best is None:
        nearest = min((one.finding.p_value for one in answer.ranking), default=1.0)
        return f"nothing | | p = {nearest:.2g}"
    return f"{answer.best.label} | {answer.best.made_by} | {answer.best.finding.score:.6f}"


def main() -> None:
    print("| made | from | found | as | score | |\n|---|---|---|---|---|---|")
    right = 0
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        known, other = (stack.enter_context(Registry.open(folder / name / "registry.db")) for name in ("known", "else"))
        zoo = make_zoo(folder, Session(known), Session(other))
        for number, case in enumerate(CASES):
            place = folder / "cases" / str(number) / "unknown"
            place.parent.mkdir(parents=True)
            case.make(zoo, place)
            answer = explain(zoo.known, str(place))
            right += is_right(case, answer)
            made = ", ".join(case.parents) or "nothing known"
            print(f"| {case.name} | {made} | {found(answer)} | {'' if is_right(case, answer) else 'wrong'} |")
    print(f"\n{right} of {len(CASES)} right.")


if __name__ == "__main__":
    main()
