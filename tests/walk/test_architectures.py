"""Every architecture that can be made tiny: what lineal makes of it computes what it should, or is refused."""

from pathlib import Path

import pytest
import torch
import transformers
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from tests.walk.table import BEGINS, ENDS, PAGE, kept, not_walked, short, table
from tests.walk.tiny import NOT_TINY, tiny_model
from tests.walk.walking import outcomes

torch.set_num_threads(1)
transformers.logging.set_verbosity_error()


@pytest.mark.filterwarnings("ignore")  # of transformers and PEFT, about architectures of their own
@pytest.mark.parametrize("name", kept())
def test_a_child_computes_what_its_parent_does_or_is_refused(tmp_path: Path, name: str) -> None:
    assert outcomes(tiny_model(name), tmp_path) == kept()[name]


def test_every_outcome_is_equality_or_a_refusal_that_the_page_explains() -> None:
    found = {outcome for row in kept().values() for outcome in row.values()}
    assert all(outcome == "equal" or outcome.startswith("refused: ") for outcome in found)
    explained = PAGE.read_text().partition(BEGINS)[0]
    assert all(f"`{short(outcome)}`" in explained for outcome in found - {"equal"})


def test_no_causal_language_model_of_transformers_is_left_out() -> None:
    assert {*kept(), *not_walked()} == set(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)
    assert not_walked() == NOT_TINY
    assert len(kept()) > 100


def test_the_page_of_architectures_shows_what_came_out() -> None:
    assert PAGE.read_text().partition(BEGINS)[2] == table() + ENDS
