"""What stands beside a merge's tensors: the donor's package, with another config, tokenizer or chat template."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, final

from lineal.checkpoint.package import config_content, is_chat_template, tokenizer_paths
from lineal.checkpoint.reader import read_json
from lineal.engines.added_tokens import with_added_tokens
from lineal.engines.chat_templates import DEFAULT, FILE
from lineal.engines.gguf_parent import gguf_package_files
from lineal.engines.parents import Model
from lineal.engines.stream_plan import Child, EditedFolder, OrdinaryFolder, WrittenFolder
from lineal.engines.tokenizer_files import SETTINGS
from lineal.engines.vocabularies import ChildVocabulary
from lineal.methods.merge.recipe import AUTO

_GENERATION = "generation_config.json"


@final
class ChildPackage:
    """Begins as the donor's package with a configuration of its own."""

    def __init__(self, donor: Model, config: Mapping[str, Any]) -> None:
        self._donor, self._config = donor, dict(config)
        self._generation = _generation(donor)
        self._tokenizer: dict[str, bytes] | None = None

    def take_tokenizer(self, vocabulary: ChildVocabulary) -> None:
        """The tokenizer of another model, with more tokens; ids of special tokens are those of its configuration."""
        theirs = vocabulary.tokenizer
        self._tokenizer = with_added_tokens(_tokenizer_files(theirs), vocabulary.appended, vocabulary.added)
        self._config = {**_with_ids_of(theirs.config, self._config), "vocab_size": vocabulary.rows}
        if self._generation:
            self._generation = _with_ids_of(_generation(theirs) or theirs.config, self._generation)

    def take_chat_template(self, template: str | None) -> None:
        """One template in place of all there are; None leaves them."""
        if template is None:
            return
        files = _tokenizer_files(self._donor) if self._tokenizer is None else self._tokenizer
        kept = {path: content for path, content in files.items() if not is_chat_template(path)}
        if SETTINGS in kept:
            settings = json.loads(kept[SETTINGS])
            if settings.pop("chat_template", None) is not None:
                kept[SETTINGS] = config_content(settings)
        self._tokenizer = {**kept, FILE: template.encode()}

    def child(self) -> Child:
        if self._donor.checkpoint.form == "gguf":
            licence = None if self._donor.checkpoint.lone else self._donor.folder
            files = gguf_package_files(self._donor.checkpoint, self._config)
            return WrittenFolder({"config.json": files["config.json"], **(self._tokenizer or files)}, licence)
        folder = self._donor.folder
        replaced = (
            {} if self._config == self._donor.checkpoint.config else {"config.json": config_content(self._config)}
        )
        if self._generation != _generation(self._donor):
            replaced[_GENERATION] = config_content(self._generation)
        if self._tokenizer is not None:
            gone = frozenset(tokenizer_paths(folder)) - self._tokenizer.keys()
            return EditedFolder(folder, {**replaced, **self._tokenizer}, gone)
        return EditedFolder(folder, replaced) if replaced else OrdinaryFolder(folder)


def chosen_template(chosen: str, inputs: Sequence[Model]) -> str | None:
    """A template as it is; `auto` is the one that most models have, of equally many the first; None if none has any."""
    if chosen != AUTO:
        return chosen
    distinct = {model.checkpoint.place: model for model in inputs}.values()
    found = Counter(model.chat_templates[DEFAULT] for model in distinct if DEFAULT in model.chat_templates)
    return found.most_common(1)[0][0] if found else None


def _tokenizer_files(model: Model) -> dict[str, bytes]:
    if model.checkpoint.form == "gguf":
        files = gguf_package_files(model.checkpoint, model.config)
        return {path: content for path, content in files.items() if path != "config.json"}
    return {path: (model.folder / path).read_bytes() for path in tokenizer_paths(model.folder)}


def _generation(model: Model) -> dict[str, Any]:
    """Its generation_config.json; empty where there is none."""
    path: Path = model.folder / _GENERATION
    return read_json(path) if model.checkpoint.form != "gguf" and path.is_file() else {}


def _with_ids_of(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, Any]:
    """Our configuration with the special tokens of theirs."""
    kept = {key: value for key, value in ours.items() if not key.endswith("_token_id")}
    return {**kept, **{key: value for key, value in theirs.items() if key.endswith("_token_id")}}
