"""lineal sign: put a key's name to a model and to the step that made it."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from lineal.cli.options import RegistryOption, ThreadsOption, model_names
from lineal.cli.terminal import remark, say

PASSWORD = "LINEAL_KEY_PASSWORD"  # noqa: S105  the variable's name

EXAMPLES = f"""
A key is a PEM file as openssl makes it, Ed25519 or ECDSA P-256; the password of an encrypted one is asked for, or taken
from the environment variable {PASSWORD}.

Examples:

  openssl genpkey -algorithm ed25519 -out lineal.key

  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out lineal.key

  openssl pkey -in lineal.key -pubout -out lineal.pub

  lineal sign both --key lineal.key               into lineal.intoto.jsonl in its folder

  lineal sign both --key lineal.key --out both.intoto.jsonl

  lineal sign both --key lineal.key --no-step     what it is, not how it was made
"""


def sign(
    model: Annotated[str, typer.Argument(autocompletion=model_names, help="A name, a path or a b3: hash.")],
    key: Annotated[Path, typer.Option("--key", metavar="PEM", help="The private key.")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="A new file, instead of the one beside the model.")
    ] = None,
    step: Annotated[bool, typer.Option(help="Sign the step that made it, too, or the model alone.")] = True,
    threads: ThreadsOption = None,
    registry: RegistryOption = None,
) -> None:
    """Sign a model and the step that made it, as in-toto statements that anyone can check."""
    from lineal.cli.session import open_session
    from lineal.cli.signature_lines import subject
    from lineal.family.trust.signing import sign as signed
    from lineal.lineage.signing.keys import read_private_key, require_signing

    require_signing("signing")
    private = read_private_key(key, lambda: _password(key))
    with open_session(registry, threads) as session:
        done = signed(session, model, private, steps=step, out=out)
    for signature in done.signatures:
        say(f"signed {subject(signature.model, signature.derivation_id)}, by key {signature.key_id[:16]}")
    say(f"written to {done.file}")
    if step and len(done.signatures) == 1:
        remark(f"no step was signed: none is known to have made {model}, but by hearsay")


def _password(key: Path) -> str:
    from lineal.errors import UsageError

    told = os.environ.get(PASSWORD)
    if told is not None:
        return told
    if not sys.stdin.isatty():
        raise UsageError(f"{key} is encrypted: its password is needed in {PASSWORD}, or a terminal to ask for it")
    from getpass import getpass

    from lineal.shown import printable

    return getpass(f"Password of {printable(str(key))}: ")
