"""A model on this machine: its tensors by name, its hash, and where it came from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias, final

from lineal.api.opened import RegistryPlace, opened
from lineal.api.tensor import Tensor
from lineal.checkpoint.content.hashing import FolderHashes
from lineal.checkpoint.content.identity import Manifest
from lineal.checkpoint.quantized.counted import parameters_of
from lineal.checkpoint.reader import Form
from lineal.derivation.hashes import format_hash
from lineal.derivation.step import Role
from lineal.errors import CheckpointError
from lineal.family.session import LocalModel, Session, register
from lineal.family.trust.verify import Verdict, verify_folder, verify_model
from lineal.lineage.questions.why import why
from lineal.shown import quoted


@final
class Model(Mapping[str, Tensor]):
    """A model folder (safetensors, shards, a PEFT adapter or a GGUF) or a lone GGUF; a mapping of its stored tensors.

    Made by `lineal.open` and by every derivation. Nothing is read but headers until values or hashes are asked for;
    hashes of unchanged files are remembered beside the registry.
    """

    def __init__(self, local: LocalModel, registry: RegistryPlace = None) -> None:
        self._local, self._registry = local, registry

    def __repr__(self) -> str:
        return f"<lineal model {quoted(str(self.path))}, {self.form}, {len(self)} tensors>"

    @property
    def path(self) -> Path:
        """The folder, or the file that is all of it."""
        return self._local.path

    @property
    def form(self) -> Form:
        """full, adapter or gguf."""
        return self._local.form

    @property
    def config(self) -> Mapping[str, Any]:
        """config.json, or adapter_config.json of an adapter; CheckpointError for a GGUF, which has `metadata`."""
        return self._local.checkpoint.config

    @property
    def metadata(self) -> Mapping[str, Any]:
        """The key-value pairs of a GGUF; empty for other models."""
        return {key: value.content for key, value in self._local.checkpoint.metadata.items()}

    @property
    def parameters(self) -> int:
        """How many numbers its weights have; where codes are stored, those of the weights that they stand for."""
        return parameters_of(self._local.checkpoint)

    def __getitem__(self, name: str) -> Tensor:
        spec = self._local.checkpoint[name]
        return Tensor(name, spec.dtype, spec.shape, spec.byte_length, self._local.checkpoint)

    def __iter__(self) -> Iterator[str]:
        return iter(self._local.checkpoint)

    def __len__(self) -> int:
        return len(self._local.checkpoint)

    @property
    def hash(self) -> str:
        """The model hash, `b3:` and 64 hex digits: of all tensors and of the files that give them meaning."""
        return format_hash(self._manifest().model_hash)

    @property
    def weights_hash(self) -> str:
        """The hash of the tensors alone."""
        return format_hash(self._manifest().weights_hash)

    @property
    def layout_hash(self) -> str | None:
        """The hash of the tensors as the architecture is published; None where its layouts are not known.

        It is one for the same weights in whichever layout they are stored, such as experts that are stacked or apart.
        """
        hashes = self._hashes()
        return None if hashes.layout_hash is None else format_hash(hashes.layout_hash)

    @property
    def names(self) -> tuple[str, ...]:
        """What the registry calls it, as FAMILY:NAME."""
        digest = self._manifest().model_hash
        with opened(self._registry, keeps=False) as session:
            return tuple(str(name) for name in session.registry.names_of(digest))

    @property
    def parents(self) -> "tuple[Parent, ...]":
        """What its step made it from, in the step's order; empty for an original.

        The step is the first that the registry knows; of a model that it does not know, that of its own lineal.json.
        """
        with opened(self._registry, keeps=False) as session:
            made = (one for one in session.registry.steps_of(self._known(session)) if not one.reproduces)
            record = next(made, None)
            inputs = () if record is None else record.step.inputs
            return tuple(
                Parent(used.role, session.registry.label(used.model_hash), format_hash(used.model_hash), self._registry)
                for used in inputs
            )

    def why(self) -> list[str]:
        """How it came about: a sentence for each of its ancestors, from the roots down, and one for itself."""
        with opened(self._registry, keeps=False) as session:
            return [reason.sentence for reason in why(session.registry, self._known(session))]

    def verify(self, *, recompute: bool = True, share: float = 1.0) -> Verdict:
        """Hash every byte again, and recompute its step where that is exact; remembered hashes are not trusted.

        share: of the tensors, in (0, 1], to recompute. What is found is in the verdict, never raised: see `ok` and
        `faults`. One that no registry knows is compared with its own lineal.json; CheckpointError where it has none.
        """
        with opened(self._registry, keeps=False) as session:
            if not session.knows_path(self.path):
                return verify_folder(session, self.path)
            digest = session.registry.resolve(_reference(self.path))
            return verify_model(session, digest, recompute=recompute, share=share)

    def _known(self, session: Session) -> bytes:
        """Its hash; one that nobody has added is known from now on with the step of its record, as by `lineal add`."""
        digest = self._manifest().model_hash
        registry = session.registry
        if not registry.knows(digest) or registry.model(digest).is_unresolved:
            return register(session, self._local)
        return digest

    def _manifest(self) -> Manifest:
        return self._hashes().manifest

    def _hashes(self) -> FolderHashes:
        if self._local.hashes is None:
            with opened(self._registry, keeps=False) as session:
                self._local = session.identify(self._local)
        return self._local.known_hashes


ModelLike: TypeAlias = str | Path | Model
"""A model, or a name, path or `b3:` hash of one; text with a / in it, or a Path, is a path."""


@final
@dataclass(frozen=True)
class Parent:
    """What a model was made from. role: parent, base, adapter, teacher or student; hash: `b3:` and 64 hex digits."""

    role: Role
    name: str
    hash: str
    _registry: RegistryPlace = field(default=None, repr=False)

    def open(self) -> Model:
        """The parent where it lies on this machine; RegistryError where it lies nowhere."""
        return open_model(self.hash, registry=self._registry)


def open_model(model: ModelLike, *, registry: RegistryPlace = None) -> Model:
    """A model by path, name or `b3:` hash, read lazily; nothing is registered.

    Raises CheckpointError for what is damaged, unsafe or no model, UsageError for a name that nothing is called by.
    """
    if isinstance(model, Model):
        return model
    with opened(registry, keeps=False) as session:
        return Model(session.find(reference_of(model)), registry)


def reference_of(model: ModelLike) -> str:
    """As the command line writes it: a path has a / in it."""
    if isinstance(model, Model):
        return _reference(model.path)
    return _reference(model) if isinstance(model, Path) else model


def _reference(path: Path) -> str:
    text = str(path)
    if not text:
        raise CheckpointError("an empty path is not a model")
    return text if "/" in text else f"./{text}"
