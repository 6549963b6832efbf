"""lineal bisect: which step made a model bad."""

from pathlib import Path
from typing import Annotated

import typer

from lineal.cli.options import JsonOption, RegistryOption, model_names
from lineal.cli.terminal import print_json, say

EXAMPLES = """
The command gets the folder of a model in place of {}, or behind it. Exit code 0 says good, 125 that it cannot be told,
anything else bad.

Examples:

  lineal bisect base lean --text held-out.txt          bad: nearer to lean's perplexity than to base's

  lineal bisect base lean --command "python check.py {}"
"""


def bisect(
    good: Annotated[
        str, typer.Argument(autocompletion=model_names, help="A model that is good: a name, a b3: hash or a path.")
    ],
    bad: Annotated[str, typer.Argument(autocompletion=model_names, help="One that is bad, made from it or beside it.")],
    text: Annotated[Path | None, typer.Option("--text", help="Judge by the perplexity on this text.")] = None,
    command: Annotated[str | None, typer.Option("--command", help="Judge by what this command exits with.")] = None,
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find the first bad model among those that a bad one goes back to: half of the suspects fall with every trial."""
    from lineal.cli.session import open_session
    from lineal.derivation.hashes import format_hash
    from lineal.errors import UsageError
    from lineal.family.trust.bisect import bisect as culprit_of
    from lineal.family.trust.bisect import by_command, by_text

    if (text is None) == (command is None):
        raise UsageError("either --text or --command says what bad is")
    with open_session(registry, must_exist=True) as session:
        best, worst = (session.registry.resolve(model) for model in (good, bad))
        judge = by_command(command) if command is not None else by_text(session, best, worst, text or Path())
        found = culprit_of(session, best, worst, judge)
        labels = {model: session.registry.label(model) for model in {found.first_bad, *found.suspects}}
    if as_json:
        print_json(
            {
                "first_bad": format_hash(found.first_bad),
                "label": labels[found.first_bad],
                "suspects": [{"model": format_hash(model), "label": labels[model]} for model in found.suspects],
                "tried": found.tried,
            }
        )
        return
    others = [labels[model] for model in found.suspects if model != found.first_bad]
    unsure = f", or one of {', '.join(others)}, which could not be tried" if others else ""
    say(f"{labels[found.first_bad]} is the first bad one{unsure} ({found.tried} tried)")
