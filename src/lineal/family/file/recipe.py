"""What is wanted: a family file, validated whole, as one recipe a model."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast, final

from lineal.derivation.step import Kind, Role
from lineal.lineage.licensing.graph import Statement
from lineal.lineage.stated.recipe_files import RecipeFile
from lineal.methods.method import Method


@final
@dataclass(frozen=True)
class Reference:
    """A model that another is made from: a name of this family, or a name, path or hash from elsewhere."""

    role: Role
    model: str


@final
@dataclass(frozen=True)
class Origin:
    """Where an original comes from when it is not trained: a folder, or a hub repository at a commit."""

    path: Path | None = None
    hub: str | None = None
    revision: str | None = None


@final
@dataclass(frozen=True, kw_only=True)
class ModelRecipe:
    """How one model is to be had. Either `origin` or `method` is given."""

    name: str
    kind: Kind
    inputs: tuple[Reference, ...] = ()
    method: Method | None = None
    data: tuple[Path, ...] = ()
    origin: Origin | None = None
    allow_nonfinite: bool = False
    line: int = 1

    @property
    def made_by(self) -> Method:
        """The method of one that is made; an original that is found has none, and must not be asked."""
        return cast(Method, self.method)


@final
@dataclass(frozen=True)
class FamilyLicences:
    """What a family file states of the licences of data files and models."""

    data: Mapping[Path, Statement] = field(default_factory=dict[Path, Statement])
    models: Mapping[str, Statement] = field(default_factory=dict[str, Statement])


@final
@dataclass(frozen=True)
class Family:
    """A family file's content; models in the order in which they can be built. file: which it was, if it was one."""

    name: str
    models: Mapping[str, ModelRecipe]
    texts: Mapping[str, Path] = field(default_factory=dict[str, Path])
    licences: FamilyLicences = field(default_factory=FamilyLicences)
    file: RecipeFile | None = None
