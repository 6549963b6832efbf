"""What a model folder says of its tokenizer: the tokens, the special ones, and what is put around a text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast, final

from lineal.checkpoint.package import vocabulary
from lineal.checkpoint.reader import read_json
from lineal.checkpoint.tokenizer_types import read_tokenizer_json, read_tokenizer_settings
from lineal.engines.tokenizers.chat_templates import chat_templates
from lineal.engines.tokenizers.merging import Merged, Pair, Rank, by_pairs, merged
from lineal.engines.tokenizers.sentence_pieces import SPACE, sentence_pieces_of

Object: TypeAlias = Mapping[str, Any]
Special: TypeAlias = Literal["bos", "eos", "unk", "pad"]
"""transformers' names of the tokens with a role."""


@final
@dataclass(frozen=True)
class TokenizerFiles:
    """tokenizer.json, tokenizer_config.json, config.json and generation_config.json as they are, and what they mean."""

    tokenizer: Object
    settings: Object
    config: Object
    generation: Object
    vocabulary: Mapping[str, int]
    chat_templates: Mapping[str, str]

    @property
    def model(self) -> Object:
        return self.tokenizer["model"]

    @property
    def added(self) -> Sequence[Object]:
        return self.tokenizer.get("added_tokens") or ()

    @property
    def merges(self) -> tuple[str, ...]:
        """Each as its two halves with a space between, however the file writes them."""
        found = cast(Sequence[Any], self.model["merges"])
        return tuple(merge if isinstance(merge, str) else " ".join(merge) for merge in found)

    @cached_property
    def rank(self) -> Rank:
        """In which order the merges of a tokenizer in SentencePiece's way are made."""
        found = sentence_pieces_of(self.tokenizer)
        pairs = (cast(Pair, tuple(merge.split(" "))) for merge in self.merges)
        return by_pairs(pair for pair in pairs if found is None or not (found.words and pair[1].startswith(SPACE)))

    @cached_property
    def made(self) -> Mapping[str, Merged]:
        """What its merges leave of the text of each of its tokens."""
        return {token: merged(token, self.rank) for token in self.vocabulary if len(token) > 1}

    def declared(self, role: Special) -> str | None:
        """The token that tokenizer_config.json gives this role."""
        given = self.settings.get(f"{role}_token")
        return given.get("content") if isinstance(given, dict) else given

    def special_id(self, role: Special) -> int | None:
        """The id of the declared token, else the one that a config names."""
        token = self.declared(role)
        if token is not None:
            return self.vocabulary.get(token)
        named = (config.get(f"{role}_token_id") for config in (self.config, self.generation))
        return next((found for found in named if isinstance(found, int)), None)

    def around(self) -> tuple[int | None, int | None] | None:
        """The ids put before and after a text, each at most one; None where it is more than that.

        The add_bos_token of tokenizer_config.json is not asked; beside a tokenizer.json transformers does not either.
        """
        processor = self.tokenizer.get("post_processor")
        steps = [] if processor is None else processor.get("processors", [processor])
        templates = [step for step in steps if step["type"] != "ByteLevel"]  # which changes offsets only
        if not templates:
            return None, None
        if len(templates) > 1 or templates[0]["type"] != "TemplateProcessing":
            return None
        known = templates[0]["special_tokens"]
        names = [piece.get("SpecialToken", {}).get("id") for piece in templates[0]["single"]]
        return _first_and_last([None if name is None else known[name]["ids"] for name in names])


def settings_of(folder: Path) -> Object:
    """Its tokenizer_config.json; empty where there is none."""
    return read_tokenizer_settings(folder)


def read_tokenizer(folder: Path) -> TokenizerFiles:
    """Read the files; config.json and tokenizer.json must be there."""
    tokenizer = read_tokenizer_json(folder)
    settings, path = settings_of(folder), folder / "generation_config.json"
    generation = read_json(path) if path.is_file() else {}
    config, table = read_json(folder / "config.json"), cast(Mapping[str, int], vocabulary(folder))
    return TokenizerFiles(tokenizer, settings, config, generation, table, chat_templates(folder, settings))


def _first_and_last(pieces: Sequence[list[int] | None]) -> tuple[int | None, int | None] | None:
    """Of a template whose None stands for the text."""
    match pieces:
        case [None]:
            return None, None
        case [[first], None]:
            return first, None
        case [None, [last]]:
            return None, last
        case [[first], None, [last]]:
            return first, last
        case _:
            return None
