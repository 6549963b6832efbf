"""lineal verify-signature: who has signed a model."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lineal.cli.options import JsonOption, RegistryOption, ThreadsOption, TrustedKeysOption, model_names
from lineal.cli.terminal import print_json, say

if TYPE_CHECKING:
    from lineal.lineage.signing.keys import PublicKey
    from lineal.lineage.signing.trust import Finding

EXAMPLES = """
Exit code 0: every key given with --key has signed, and no signature is bad; 1: not so, or no key was given.

Examples:

  lineal verify-signature both --key lineal.pub        what the registry keeps

  lineal verify-signature ./both --key lineal.pub      what lies there, hashed anew

  lineal verify-signature both.intoto.jsonl --key lineal.pub --model b3:20bdd159...

  lineal verify-signature both                         keys that nobody vouches for
"""


def verify_signature(
    model: Annotated[
        str,
        typer.Argument(
            autocompletion=model_names, metavar="MODEL|FILE", help="A name, b3: hash, path or file of signatures."
        ),
    ],
    keys: TrustedKeysOption = None,
    of: Annotated[
        str | None, typer.Option("--model", metavar="B3", help="For a FILE: the whole hash it must be of.")
    ] = None,
    threads: ThreadsOption = None,
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say of each signature of a model whether a key that you trust has made it."""
    from lineal.cli.signature_lines import finding_json, line_of
    from lineal.errors import AnswerIsNo
    from lineal.family.trust.signing import require_signed
    from lineal.lineage.signing.keys import read_public_keys, require_signing
    from lineal.lineage.signing.trust import Verdict

    require_signing("checking signatures")
    trusted = read_public_keys(keys or ())
    found = _found(model, trusted, of, threads, registry)
    if as_json:
        print_json([finding_json(finding) for finding in found])
    else:
        say(*map(line_of, found))
    if not found:
        raise AnswerIsNo(f"{model} is not signed")
    bad = sum(finding.verdict is Verdict.BAD for finding in found)
    if bad:
        raise AnswerIsNo(f"{model}: {bad} of {len(found)} signatures are bad")
    if not trusted:
        raise AnswerIsNo(f"{model}: no key was given with --key, so none of its signatures can be trusted")
    require_signed(found, trusted, model)


def _found(
    model: str, trusted: "tuple[PublicKey, ...]", of: str | None, threads: int | None, registry: str | None
) -> "tuple[Finding, ...]":
    from lineal.cli.progress_bars import TerminalProgress
    from lineal.cli.session import open_session
    from lineal.derivation.hashes import parse_hash
    from lineal.errors import UsageError
    from lineal.family.trust.signing import is_model_place, judge_all, verify_place, verify_signatures
    from lineal.lineage.signing.bundle import read_bundle

    place = Path(model)
    is_path = "/" in model or model in (".", "..")
    if place.is_file() and not is_model_place(place):
        return judge_all(read_bundle(place), trusted, None if of is None else parse_hash(of))
    if of is not None:
        raise UsageError(f"--model goes with a file of signatures, which {model} is not")
    if is_path:
        return verify_place(place, trusted, TerminalProgress(), threads)
    with open_session(registry, must_exist=True) as session:
        return verify_signatures(session, model, trusted)
