"""A GGUF of any architecture whose keys hold other values than they should is an error of one line, or a model."""

from pathlib import Path
from typing import Any

import pytest
from gguf import GGMLQuantizationType, GGUFReader

from lineal.checkpoint.reader import open_checkpoint
from lineal.engines.parents.model import full_model
from lineal.errors import LinealError
from tests.engines.architectures import make_architecture
from tests.engines.quantizations import quantize
from tests.ggufs import write_gguf
from tests.readers.test_wrong_values import KINDS


@pytest.mark.parametrize("name", ["phi3, long texts", "gemma3, scaled", "qwen2_moe"])
def test_the_keys_of_an_architecture(tmp_path: Path, name: str) -> None:
    reader = GGUFReader(quantize(make_architecture(tmp_path / "m", name), tmp_path / "q"))
    tensors = {t.name: (t.data, GGMLQuantizationType(t.tensor_type).name) for t in reader.tensors}
    fields = [field for field in reader.fields.values() if not field.name.startswith("GGUF.")]
    metadata: dict[str, Any] = {field.name: (field.types[0], field.contents(), *field.types[1:2]) for field in fields}
    prefix = metadata["general.architecture"][1] + "."
    found: list[str] = []
    for key in (key for key in metadata if key.startswith(prefix)):
        for kind in KINDS:
            place = write_gguf(tmp_path / "x.gguf", tensors, {**metadata, key: kind})
            try:
                _ = full_model("x", open_checkpoint(place)).config
            except LinealError as error:
                assert all(line.isprintable() for line in error.lines), error.args
            except Exception as error:  # noqa: BLE001 - that is what is looked for
                found.append(f"{key} = {kind}: {type(error).__name__}: {error}")
    assert not found, "\n".join(found)
