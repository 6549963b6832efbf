"""A model in transformers whose weights lineal decodes, whatever they are stored as: a GGUF, or quantized weights."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, final

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from lineal.engines.parents.model import Model
from lineal.engines.stream.open_files import OpenFiles
from lineal.engines.stream.source import Source
from lineal.engines.stream.whole import whole
from lineal.errors import CheckpointError


def load_decoded(model: Model, dtype: torch.dtype) -> Any:
    """What transformers' from_pretrained returns with its loading info, of the model's values in float32.

    One tensor after the other is decoded when transformers asks for it, so that nothing is held twice.
    """
    config = AutoConfig.for_model(**model.config)
    with torch.device("meta"):
        kind: Any = type(AutoModelForCausalLM.from_config(config, trust_remote_code=False))
    with _weights(model.sources) as weights:
        return kind.from_pretrained(None, config=config, state_dict=weights, dtype=dtype, output_loading_info=True)


@final
@dataclass(frozen=True)
class _Weight:
    """A tensor that is read where all of it is asked for, as transformers does with those of a file."""

    source: Source
    files: OpenFiles
    faults: list[CheckpointError]

    def __getitem__(self, _: object) -> torch.Tensor:
        try:
            return torch.from_numpy(whole(self.source, self.files))
        except CheckpointError as error:
            self.faults.append(error)
            raise


@contextmanager
def _weights(sources: Mapping[str, Source]) -> Generator[dict[str, _Weight]]:
    """The tensors by name. What is wrong with one is raised at the end: transformers makes a remark of it."""
    faults: list[CheckpointError] = []
    with OpenFiles() as files:
        try:
            yield {name: _Weight(source, files, faults) for name, source in sources.items()}
        finally:
            if faults:
                raise faults[0]
