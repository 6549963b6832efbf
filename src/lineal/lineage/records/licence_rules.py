"""Which licences can be kept together in one work, and what binds it then. A rule of thumb, and no legal advice."""

from collections.abc import Iterable, Mapping

from lineal.lineage.records.licences import AND, UNKNOWN, Obligation, Terms, terms_of, told

_ACCEPTED: Mapping[str, frozenset[str]] = {
    taker: frozenset(given.split())
    for taker, given in {
        # the FSF's list of licences and its matrix of the GNU licences
        "gpl-2.0": "gpl gpl-2.0-or-later lgpl lgpl-2.1 mpl-2.0 eupl-1.1 eupl-1.2",
        "gpl-2.0-or-later": "gpl lgpl lgpl-2.1 mpl-2.0 eupl-1.1 eupl-1.2",
        "gpl-3.0": "gpl gpl-2.0-or-later lgpl lgpl-2.1 lgpl-3.0 mpl-2.0 eupl-1.2 cc-by-sa-4.0",
        "agpl-3.0": "gpl gpl-2.0-or-later gpl-3.0 lgpl lgpl-2.1 lgpl-3.0 mpl-2.0 eupl-1.2",
        "lgpl-2.1": "lgpl mpl-2.0 eupl-1.2",
        "lgpl-3.0": "lgpl lgpl-2.1 mpl-2.0 eupl-1.2",
        "mpl-2.0": "eupl-1.2",
        "eupl-1.2": "eupl-1.1",
        # section 4(b) of BY-SA 3.0 and of BY-NC-SA 2.0 and 3.0: a later version with the same elements
        "cc-by-sa-4.0": "cc-by-sa-3.0",
        "cc-by-nc-sa-3.0": "cc-by-nc-sa-2.0",
        "cc-by-nc-sa-4.0": "cc-by-nc-sa-2.0 cc-by-nc-sa-3.0",
    }.items()
}
"""A share-alike licence -> those others under which works may go into one that it covers."""

_REFUSED: Mapping[str, frozenset[str]] = {
    # the FSF's list of licences
    "apache-2.0": frozenset({"gpl-2.0", "lgpl-2.1"}),
    "ecl-2.0": frozenset({"gpl-2.0", "lgpl-2.1"}),
    "afl-3.0": frozenset({"gpl", "gpl-2.0", "gpl-2.0-or-later", "gpl-3.0", "agpl-3.0", "lgpl", "lgpl-2.1", "lgpl-3.0"}),
}
"""Permissive licences whose terms are further restrictions to these."""


def clash(one: str, other: str) -> str | None:
    """Why works under these two cannot be one work; None where they can, or where that is not known here."""
    terms, others = terms_of(one), terms_of(other)
    if terms is None or others is None or one == other:
        return None
    if Obligation.SHARE_ALIKE not in terms:
        return clash(other, one) if Obligation.SHARE_ALIKE in others else None
    if Obligation.SHARE_ALIKE in others:
        accepted = other in _ACCEPTED.get(one, ()) or one in _ACCEPTED.get(other, ())
        return None if accepted else "each is share-alike: what is made from both could be passed on under neither"
    return _restriction(one, terms, other, others)


def _restriction(one: str, terms: Terms, other: str, others: Terms) -> str | None:
    """Why a share-alike licence does not go with one that is not."""
    for added in (Obligation.NON_COMMERCIAL, Obligation.RESTRICTED_USE):
        if added in others and added not in terms:
            return f"{one} is share-alike and allows no further restrictions, such as {told(other)}"
    if one in _REFUSED.get(other, ()):
        return f"{other} asks for more than {one}, which is share-alike, allows"
    return None


def forbids_derivatives(licence: str) -> bool:
    return Obligation.NO_DERIVATIVES in (terms_of(licence) or ())


def joined(licences: Iterable[str]) -> str:
    """What binds a work made from all of these: those whose obligations no other one covers, in one expression."""
    distinct = sorted(set(licences))
    kept = [one for one in distinct if not any(_covers(other, one) for other in distinct if other != one)]
    return AND.join(kept) or UNKNOWN


def _covers(strict: str, other: str) -> bool:
    """Whether who keeps to one licence keeps to the other, too, notices kept; two alike cover each other never."""
    terms, others = terms_of(strict), terms_of(other)
    if terms is None or others is None:
        return False
    return others < terms or other in _ACCEPTED.get(strict, ())
