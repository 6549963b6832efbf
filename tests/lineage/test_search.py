"""What shares weights with known models, in whichever layout either is stored."""

from dataclasses import replace

import pytest

from lineal.errors import UsageError
from lineal.lineage.questions.layouts import by_layout_hash
from lineal.lineage.questions.search import Match, matches
from lineal.lineage.records.records import ModelRecord
from lineal.lineage.registry import Registry
from tests.lineage.families import in_layouts, model

APART, FUSED = in_layouts("m", fused=False), in_layouts("m", fused=True)


def found(registry: Registry, record: ModelRecord) -> dict[bytes, Match]:
    return {match.model_hash: match for match in matches(registry, record)}


def test_the_same_weights_in_another_layout_come_after_the_same_and_before_parts(registry: Registry) -> None:
    tuned = in_layouts("m", fused=True, tail="'")
    more = replace(APART, manifest=replace(APART.manifest, package={}), published=APART.published)
    apart, part, like, fused = (registry.add_model(one) for one in (APART, tuned, more, FUSED))
    assert [match.model_hash for match in matches(registry, FUSED)] == [fused, *sorted((apart, like)), part]
    assert [match.model_hash for match in matches(registry, APART)] == [apart, like, fused, part]
    seen = found(registry, APART)
    assert [seen[one].same_weights for one in (apart, like, fused, part)] == [True, True, False, False]
    assert [seen[one].another_layout for one in (apart, like, fused, part)] == [False, False, True, False]


@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize("known", [False, True])
def test_shared_tensors_are_counted_as_published(registry: Registry, stored: bool, known: bool) -> None:
    digest = registry.add_model(in_layouts("m", fused=known, tail="'"))
    (match,) = matches(registry, in_layouts("m", fused=stored))
    assert match == Match(digest, False, False, False, 6, 96, 7)


def test_what_was_recorded_without_its_layout_is_compared_as_it_can_be(registry: Registry) -> None:
    digest = registry.add_model(replace(FUSED, published=None))
    (match,) = matches(registry, FUSED)
    assert (match.model_hash, match.same_model, match.shared_tensors, match.tensors) == (digest, True, 3, 3)
    (match,) = matches(registry, in_layouts("m", fused=True, tail="'"))
    assert (match.shared_tensors, match.shared_bytes, match.tensors) == (2, 96, 3)
    (match,) = matches(registry, APART)
    assert (match.another_layout, match.shared_tensors, match.tensors) == (False, 1, 7)


def test_a_model_is_found_by_the_beginning_of_its_layout_hash(registry: Registry) -> None:
    apart, fused = registry.add_model(APART), registry.add_model(FUSED)
    registry.add_models([in_layouts("other", fused=True), model("plain")])
    assert APART.layout_hash is not None
    reference = f"b3:{APART.layout_hash.hex()}"
    for begun in (reference, reference[:11]):
        assert list(by_layout_hash(registry, begun).items()) == [(apart, APART.layout_hash), (fused, APART.layout_hash)]
    assert by_layout_hash(registry, f"b3:{apart.hex()}") == {}
    for wrong in ("b3:", "b3:xyz", reference[:9]):
        with pytest.raises(UsageError, match="a hash is b3: and"):
            by_layout_hash(registry, wrong)
