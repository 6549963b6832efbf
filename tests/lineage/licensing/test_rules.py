"""Which licences go together: each case beside the text that says so."""

from itertools import product

import pytest

from lineal.errors import UsageError
from lineal.lineage.records.licence_rules import clash, forbids_derivatives, joined
from lineal.lineage.records.licences import front_matter, given, identifiers, terms_of, told

GNU_LIST = "https://www.gnu.org/licenses/license-list.html"
GNU_MATRIX = "https://www.gnu.org/licenses/gpl-faq.html#AllCompatibility"
CC_CHART = "https://wiki.creativecommons.org/wiki/Wiki/cc_license_compatibility"
CC_COMPATIBLE = "https://creativecommons.org/compatiblelicenses"
MPL = "https://www.mozilla.org/MPL/2.0/, sections 1.12 and 3.3: secondary licences"
EUPL = "https://eupl.eu/1.2/en, appendix: compatible licences"
BY_SA_3 = "https://creativecommons.org/licenses/by-sa/3.0/legalcode, section 4(b)"
BY_SA_4 = "https://creativecommons.org/licenses/by-sa/4.0/legalcode, section 3(b)(3)"
GPL_3 = "https://www.gnu.org/licenses/gpl-3.0.html, section 10: no further restrictions"
GPL_2 = "https://www.gnu.org/licenses/old-licenses/gpl-2.0.html, section 6: no further restrictions"


@pytest.mark.parametrize(
    ("one", "other", "together", "source"),
    [
        ("apache-2.0", "gpl-3.0", "gpl-3.0", GNU_LIST),
        ("mit", "gpl-2.0", "gpl-2.0", GNU_LIST),
        ("cc-by-4.0", "gpl-2.0", "gpl-2.0", GNU_LIST),
        ("gpl-2.0-or-later", "gpl-3.0", "gpl-3.0", GNU_MATRIX),
        ("gpl-2.0-or-later", "gpl-2.0", "gpl-2.0", GNU_MATRIX),
        ("lgpl-2.1", "gpl-2.0", "gpl-2.0", GNU_MATRIX),
        ("lgpl-3.0", "gpl-3.0", "gpl-3.0", GNU_MATRIX),
        ("gpl-3.0", "agpl-3.0", "agpl-3.0", GNU_MATRIX),
        ("mpl-2.0", "gpl-3.0", "gpl-3.0", MPL),
        ("mpl-2.0", "agpl-3.0", "agpl-3.0", MPL),
        ("eupl-1.2", "mpl-2.0", "mpl-2.0", EUPL),
        ("cc-by-sa-4.0", "gpl-3.0", "gpl-3.0", CC_COMPATIBLE),
        ("cc-by-sa-3.0", "cc-by-sa-4.0", "cc-by-sa-4.0", BY_SA_3),
        ("cc-by-4.0", "cc-by-sa-4.0", "cc-by-sa-4.0", CC_CHART),
        ("cc-by-4.0", "cc-by-nc-4.0", "cc-by-nc-4.0", CC_CHART),
        ("cc-by-nc-4.0", "cc-by-nc-sa-4.0", "cc-by-nc-sa-4.0", CC_CHART),
        ("cc0-1.0", "cc-by-nc-sa-4.0", "cc-by-nc-sa-4.0", CC_CHART),
        ("cc0-1.0", "mit", "mit", "cc0 waives every right"),
        ("apache-2.0", "mit", "apache-2.0 AND mit", "two notices to keep"),
        ("llama3.1", "gemma", "gemma AND llama3.1", "neither text forbids the other's terms"),
        ("apache-2.0", "llama3.1", "llama3.1", "attribution is part of both"),
        ("cc-by-nc-4.0", "llama3.1", "cc-by-nc-4.0 AND llama3.1", "use within both"),
        ("mit", "unknown", "mit AND unknown", "what nobody said permits nothing"),
        ("mit", "acme-1.0", "acme-1.0 AND mit", "terms that are not known cover nothing"),
    ],
)
def test_what_goes_together_is_bound_by_the_stricter(one: str, other: str, together: str, source: str) -> None:
    assert clash(one, other) is clash(other, one) is None, source
    assert joined([one, other]) == joined([other, one, one]) == together, source


@pytest.mark.parametrize(
    ("one", "other", "source"),
    [
        ("gpl-2.0", "gpl-3.0", GNU_MATRIX),
        ("gpl-2.0", "agpl-3.0", GNU_LIST),
        ("gpl-2.0", "lgpl-3.0", GNU_MATRIX),
        ("gpl-2.0", "apache-2.0", GNU_LIST),
        ("gpl-3.0", "afl-3.0", GNU_LIST),
        ("gpl-3.0", "epl-2.0", GNU_LIST),
        ("gpl-3.0", "osl-3.0", GNU_LIST),
        ("gpl-3.0", "ms-pl", GNU_LIST),
        ("gpl-2.0", "cc-by-sa-4.0", CC_COMPATIBLE),
        ("gpl-3.0", "cc-by-sa-3.0", CC_COMPATIBLE),
        ("gpl-3.0", "cc-by-nc-4.0", GPL_3),
        ("gpl-2.0", "cc-by-nc-4.0", GPL_2),
        ("gpl-3.0", "llama3.1", GPL_3),
        ("gpl-2.0", "gemma", GPL_2),
        ("agpl-3.0", "creativeml-openrail-m", GPL_3),
        ("gpl-3.0", "proprietary", GPL_3),
        ("cc-by-sa-4.0", "cc-by-nc-4.0", CC_CHART),
        ("cc-by-sa-4.0", "cc-by-nc-sa-4.0", CC_CHART),
        ("cc-by-sa-4.0", "llama3.1", BY_SA_4),
        ("cc-by-nc-sa-4.0", "gemma", BY_SA_4),
    ],
)
def test_what_cannot_be_kept_at_once_is_a_conflict_whichever_comes_first(one: str, other: str, source: str) -> None:
    reason = clash(one, other)
    assert reason, source
    assert clash(other, one) == reason


@pytest.mark.parametrize("licence", ["cc-by-nd-4.0", "cc-by-nc-nd-3.0", "cc-by-nc-nd-4.0"])
def test_no_derivatives_forbids_every_derivation(licence: str) -> None:
    assert forbids_derivatives(licence), CC_CHART
    assert not forbids_derivatives("cc-by-nc-sa-4.0")


def test_joining_is_commutative_and_repeats_nothing() -> None:
    names = ["mit", "apache-2.0", "cc0-1.0", "gpl-3.0", "cc-by-nc-4.0", "llama3.1", "unknown", "acme"]
    for one, other in product(names, names):
        assert joined([one, other]) == joined([other, one])
        assert clash(one, other) == clash(other, one)
    assert joined([]) == "unknown"


def test_identifiers_are_spelled_as_on_the_hub() -> None:
    assert identifiers("GPL-3.0-only") == identifiers("gpl-3.0-or-later") == ("gpl-3.0",)
    assert identifiers("GPL-2.0-or-later AND MIT") == ("gpl-2.0-or-later", "mit")
    assert identifiers("Qwen Research") == ("qwen-research",)
    assert identifiers("other") == identifiers(" ") == ("unknown",)
    assert identifiers("\x1b[1m\n") == ("1m",)
    assert terms_of("qwen-2000") is None
    assert told("gpl-3.0 AND qwen-2000") == "gpl-3.0 (share-alike) AND qwen-2000 (terms not known here)"
    assert told("cc0-1.0") == "cc0-1.0 (public domain)"


@pytest.mark.parametrize("written", ["", "unknown", "other", "MIT OR Apache-2.0", "mit AND ", "a b", "../x", "\x1b[1m"])
def test_what_can_be_no_licence_cannot_be_stated(written: str) -> None:
    with pytest.raises(UsageError, match="is not a licence: an identifier is needed"):
        given(written)


def test_a_card_names_a_licence_as_the_hub_does() -> None:
    assert front_matter("apache-2.0") == {"license": "apache-2.0"}
    assert front_matter("unknown") == {}
    for joint in ("apache-2.0 AND mit", "gpl-2.0-or-later", "acme-1.0"):
        assert front_matter(joint) == {"license": "other", "license_name": joint}
