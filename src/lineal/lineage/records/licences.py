"""Licences as a few kinds of obligations: a rule of thumb over the Hub's and SPDX's identifiers, and no legal advice.

What each obligation rests on, and which licences accept which, stands in docs/verbs/licence.md with its source.
"""

import re
from collections.abc import Mapping
from enum import Enum
from typing import final

from lineal.errors import UsageError
from lineal.shown import quoted


@final
class Obligation(Enum):
    """What a licence asks of those who pass on something made from the work, in the words of its kind."""

    ATTRIBUTION = "attribution"
    SHARE_ALIKE = "share-alike"
    NON_COMMERCIAL = "non-commercial"
    RESTRICTED_USE = "field-of-use terms"
    NO_DERIVATIVES = "no derivatives"


Terms = frozenset[Obligation]

UNKNOWN = "unknown"
"""What nobody has said; never taken for a permission."""
AND = " AND "
"""What stands between identifiers that hold together, as in SPDX expressions."""

_PERMISSIVE = frozenset({Obligation.ATTRIBUTION})
_SHARED = _PERMISSIVE | {Obligation.SHARE_ALIKE}
_NON_COMMERCIAL = _PERMISSIVE | {Obligation.NON_COMMERCIAL}
_RESTRICTED = _PERMISSIVE | {Obligation.RESTRICTED_USE}

_KINDS: Mapping[Terms, str] = {
    frozenset(): "cc0-1.0 unlicense wtfpl pddl 0bsd",
    _PERMISSIVE: """
        mit apache-2.0 bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear isc zlib bsl-1.0 postgresql ncsa artistic-2.0
        ecl-2.0 afl-3.0 apple-ascl openmdw-1.0 etalab-2.0 odc-by cdla-permissive-1.0 cdla-permissive-2.0
        cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0
    """,
    _SHARED: """
        gpl gpl-2.0 gpl-2.0-or-later gpl-3.0 agpl-3.0 lgpl lgpl-2.1 lgpl-3.0 mpl-2.0 epl-1.0 epl-2.0 eupl-1.1 eupl-1.2
        osl-3.0 ms-pl gfdl odbl cc-by-sa-3.0 cc-by-sa-4.0
    """,
    _NON_COMMERCIAL: """
        cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 apple-amlr h-research intel-research mrl qwen-research
        fair-noncommercial-research-license
    """,
    _NON_COMMERCIAL | {Obligation.SHARE_ALIKE}: "cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0",
    _PERMISSIVE | {Obligation.NO_DERIVATIVES}: "cc-by-nd-4.0",
    _NON_COMMERCIAL | {Obligation.NO_DERIVATIVES}: "cc-by-nc-nd-3.0 cc-by-nc-nd-4.0",
    _RESTRICTED: """
        llama2 llama3 llama3.1 llama3.2 llama3.3 llama4 gemma openrail openrail++ creativeml-openrail-m
        bigscience-openrail-m bigscience-bloom-rail-1.0 bigcode-openrail-m deepseek tongyi-qianwen proprietary
    """,
}
"""Weak copyleft stands with strong: what is merged into one set of weights has no files that could be kept apart."""
_TERMS: Mapping[str, Terms] = {name: terms for terms, names in _KINDS.items() for name in names.split()}

_NOT_ON_THE_HUB = frozenset(
    ("0bsd", "gpl-2.0-or-later", "deepseek", "mrl", "proprietary", "qwen-research", "tongyi-qianwen")
)

_SAME = {
    "gpl-2.0-only": "gpl-2.0",
    "gpl-2.0+": "gpl-2.0-or-later",
    "cc0": "cc0-1.0",
    "none": UNKNOWN,
    "other": UNKNOWN,
}
"""What cards and SPDX spell otherwise."""
_LATEST = re.compile(r"^(gpl-3\.0|agpl-3\.0|lgpl-2\.1|lgpl-3\.0)(-only|-or-later|\+)$")
"""SPDX's spellings of versions that this table does not tell apart from later ones."""

_ODD = re.compile(r"[^a-z0-9.+-]+")
_GIVEN = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]*")


def terms_of(identifier: str) -> Terms | None:
    """What a licence asks for; None where its terms are not known here."""
    return _TERMS.get(identifier)


def told(licence: str) -> str:
    """A licence, or several, with the kind of its terms: `gpl-3.0 (share-alike)`."""
    return AND.join(map(_told, licence.split(AND)))


def _told(identifier: str) -> str:
    if identifier == UNKNOWN:
        return UNKNOWN
    terms = terms_of(identifier)
    if terms is None:
        return f"{identifier} (terms not known here)"
    telling = [obligation.value for obligation in Obligation if obligation in terms]
    return f"{identifier} ({', '.join(telling[1:] or telling or ['public domain'])})"


def identifiers(written: str) -> tuple[str, ...]:
    """The licences that hold together in what a card, a text or a person says, spelled as here, sorted."""
    found = {_ODD.sub("-", one.strip().lower()).strip("-") for one in written.split(AND)}
    return tuple(sorted({_LATEST.sub(r"\1", _SAME.get(one, one)) for one in found if one} or {UNKNOWN}))


def given(written: str) -> str:
    """A licence that a person states, spelled as here; what can be none is refused."""
    parts = [part.strip() for part in written.split(AND)]
    found = identifiers(written)
    if not all(_GIVEN.fullmatch(part) for part in parts) or UNKNOWN in found:
        raise UsageError(
            f"{quoted(written)} is not a licence: an identifier is needed, such as apache-2.0 or cc-by-sa-4.0, "
            "or several with AND between them"
        )
    return AND.join(found)


def front_matter(joined: str) -> dict[str, str]:
    """A licence as the Hub wants it in a model card: what is no identifier there is `other`, with a name."""
    if joined == UNKNOWN:
        return {}
    if joined in _TERMS and joined not in _NOT_ON_THE_HUB:
        return {"license": joined}
    return {"license": "other", "license_name": joined}
