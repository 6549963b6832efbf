"""Walk every architecture anew and keep what came out: `python -m tests.walk`, after a look at what has changed."""

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
import transformers
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from tests.walk.table import BEGINS, ENDS, OUTCOMES, PAGE, table
from tests.walk.tiny import NOT_TINY, tiny_model
from tests.walk.walking import outcomes


def main() -> None:
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.set_num_threads(1)
    walked: dict[str, dict[str, str]] = {}
    for name in sorted(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES):
        if name not in NOT_TINY:
            with TemporaryDirectory() as folder:
                walked[name] = outcomes(tiny_model(name), Path(folder))
            sys.stderr.write(f"{name}\n")
    OUTCOMES.write_text(json.dumps({"walked": walked, "not walked": dict(sorted(NOT_TINY.items()))}, indent=1) + "\n")
    before, _, rest = PAGE.read_text().partition(BEGINS)
    PAGE.write_text(before + BEGINS + table() + ENDS + rest.partition(ENDS)[2])


main()
