"""What stands beside a merge's tensors: the donor's package, with another config, tokenizer or chat template."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, final

from lineal.checkpoint.package import config_content, is_chat_template, tokenizer_paths, vocabulary
from lineal.checkpoint.reader import read_json
from lineal.checkpoint.tokenizer_types import SETTINGS
from lineal.engines.merge.vocabularies import ChildVocabulary
from lineal.engines.parents.model import Model
from lineal.engines.stream.plan import Child, EditedFolder, OrdinaryFolder, WrittenFolder
from lineal.engines.tokenizers.added_tokens import with_added_tokens
from lineal.engines.tokenizers.chat_templates import DEFAULT, FILE
from lineal.methods.recipe.recipe import AUTO

_GENERATION = "generation_config.json"


@final
class ChildPackage:
    """Begins as the donor's package with a configuration of its own."""

    def __init__(self, donor: Model, config: Mapping[str, Any]) -> None:
        self._donor, self._config = donor, dict(config)
        self._generation = _generation(donor)
        self._tokenizer: dict[str, bytes] | None = None

    def take_tokenizer(self, vocabulary: ChildVocabulary) -> None:
        """The tokenizer of another model, with more tokens."""
        self.take_tokenizer_of(vocabulary.tokenizer)
        self._tokenizer = with_added_tokens(self._tokenizer or {}, vocabulary.appended, vocabulary.added)
        self._config = {**self._config, "vocab_size": vocabulary.rows}

    def take_tokenizer_of(self, theirs: Model) -> None:
        """The tokenizer of another model as it is; ids of special tokens are those of its configuration."""
        self._tokenizer = _tokenizer_files(theirs)
        self._config = _with_ids_of(theirs.config, self._config)
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
            from lineal.engines.gguf.parent import gguf_package_files

            licence = None if self._donor.checkpoint.lone else self._donor.folder
            files = self._tokenizer or gguf_package_files(self._donor.checkpoint, self._config)
            return WrittenFolder({**files, "config.json": config_content(self._config)}, licence)
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


def speaker_of(inputs: Sequence[Model]) -> Model:
    """Whose tokenizer the child has: the first input's that has one; the first input where none has."""
    return next((model for model in inputs if model.has_tokenizer), inputs[0])


def speaks_for_itself(donor: Model, speaker: Model) -> bool:
    """Whether the donor's folder holds the tokenizer that the child has."""
    return speaker.checkpoint is donor.checkpoint and speaker.tokenizer_folder == donor.folder


def own_package(model: Model, config: Mapping[str, Any]) -> ChildPackage:
    """What stands beside a child of this model alone that has this configuration."""
    package = ChildPackage(model, config)
    if not speaks_for_itself(model, model):
        package.take_tokenizer_of(model)
    return package


def own_rules(model: Model) -> int:
    """Of a step that makes such a child: 2 where rules 1 left its head or its adapter's tokenizer behind."""
    return model.rules if speaks_for_itself(model, model) else 2


def tokenizer_remarks(inputs: Sequence[Model], speaker: Model) -> Iterator[str]:
    """Where the child's tokenizer is not the donor's, and adapters that were trained with another one."""
    donor = inputs[0]
    if not donor.has_tokenizer and speaker.has_tokenizer:
        yield f"{donor.name} has no tokenizer; the child gets that of {speaker.name}"
    elif not speaks_for_itself(donor, speaker):
        yield f"the base of {speaker.name} has no tokenizer; the child gets the one beside the adapter"
    for model in inputs:
        own = None if model.adapter is None else vocabulary(model.adapter.folder)
        if own is not None and own != speaker.vocabulary:
            yield f"the tokenizer beside the adapter {model.name} is not the one that the child gets"


def chosen_template(chosen: str, inputs: Sequence[Model]) -> str | None:
    """A template as it is; `auto` is the one that most models have, of equally many the first; None if none has any."""
    if chosen != AUTO:
        return chosen
    distinct = {model.checkpoint.path: model for model in inputs}.values()
    found = Counter(model.chat_templates[DEFAULT] for model in distinct if DEFAULT in model.chat_templates)
    return found.most_common(1)[0][0] if found else None


def _tokenizer_files(model: Model) -> dict[str, bytes]:
    if model.checkpoint.form == "gguf":
        from lineal.engines.gguf.parent import gguf_package_files

        files = gguf_package_files(model.checkpoint, model.config)
        return {path: content for path, content in files.items() if path != "config.json"}
    folder = model.tokenizer_folder
    return {path: (folder / path).read_bytes() for path in tokenizer_paths(folder)}


def _generation(model: Model) -> dict[str, Any]:
    """Its generation_config.json; empty where there is none."""
    path: Path = model.folder / _GENERATION
    return read_json(path) if model.checkpoint.form != "gguf" and path.is_file() else {}


def _with_ids_of(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, Any]:
    """Our configuration with the special tokens of theirs."""
    kept = {key: value for key, value in ours.items() if not key.endswith("_token_id")}
    return {**kept, **{key: value for key, value in theirs.items() if key.endswith("_token_id")}}
