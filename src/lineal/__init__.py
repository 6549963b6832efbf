"""lineal derives models from models, and knows where every one of them came from.

Everything public is here, and loaded when it is first used: importing lineal imports neither torch nor numpy.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lineal.shown import quoted

if TYPE_CHECKING:
    from lineal.api.derivations import (
        distill,
        finetune,
        merge,
        merge_recipe,
        prune,
        quantize,
    )
    from lineal.api.model import (
        Model,
        Parent,
    )
    from lineal.api.model import open_model as open
    from lineal.api.opened import registry
    from lineal.api.tensor import Tensor
    from lineal.api.uses import (
        evaluate,
        generate,
        plan,
        run,
    )
    from lineal.derivation import (
        DataFile,
        Derivation,
        Distillation,
        FineTune,
        Input,
        Merge,
        Original,
        Prune,
        QuantizationType,
        Quantize,
        Step,
        derivation_from_json,
    )
    from lineal.errors import (
        AnswerIsNo,
        CheckpointError,
        DerivationError,
        LicenceConflict,
        LineageCycle,
        LinealError,
        MethodError,
        MissingExtra,
        NotEnoughSpace,
        RecipeError,
        RegistryError,
        StorageError,
        UsageError,
        VerificationFailed,
    )
    from lineal.family.progress import Progress
    from lineal.family.trust.verify import Verdict
    from lineal.lineage.records.records import (
        Evaluation,
        ModelVersion,
    )
    from lineal.lineage.records.semantic_version import SemanticVersion
    from lineal.lineage.records.stages import Stage
    from lineal.lineage.registry import Registry
    from lineal.methods.distill import (
        AttentionTransfer,
        Distill,
        EnsembleDistiller,
        KnowledgeDistillation,
        ProgressiveDistillation,
    )
    from lineal.methods.finetune import (
        FullFineTune,
        Lora,
        LoraConfig,
        LoraLayer,
        Scratch,
    )
    from lineal.methods.merge import (
        AdapterMerge,
        ArceeFusion,
        Breadcrumbs,
        BreadcrumbsTies,
        DareLinear,
        DareTies,
        Della,
        DellaLinear,
        GreedySoup,
        Karcher,
        Linear,
        ModelStock,
        MultiSlerp,
        Nearswap,
        NuSlerp,
        Passthrough,
        Ram,
        RamPlus,
        Sce,
        Slerp,
        TaskArithmetic,
        Ties,
        UniformSoup,
    )
    from lineal.methods.prune import MagnitudePruning
    from lineal.methods.quantize import GgufQuantization
    from lineal.planning import (
        FineTuneMethod,
        ModelParadigm,
    )

    __version__: str

__all__ = [
    "AdapterMerge",
    "AnswerIsNo",
    "ArceeFusion",
    "AttentionTransfer",
    "Breadcrumbs",
    "BreadcrumbsTies",
    "CheckpointError",
    "DareLinear",
    "DareTies",
    "DataFile",
    "Della",
    "DellaLinear",
    "Derivation",
    "DerivationError",
    "Distill",
    "Distillation",
    "EnsembleDistiller",
    "Evaluation",
    "FineTune",
    "FineTuneMethod",
    "FullFineTune",
    "GgufQuantization",
    "GreedySoup",
    "Input",
    "Karcher",
    "KnowledgeDistillation",
    "LicenceConflict",
    "LineageCycle",
    "LinealError",
    "Linear",
    "Lora",
    "LoraConfig",
    "LoraLayer",
    "MagnitudePruning",
    "Merge",
    "MethodError",
    "MissingExtra",
    "Model",
    "ModelParadigm",
    "ModelStock",
    "ModelVersion",
    "MultiSlerp",
    "Nearswap",
    "NotEnoughSpace",
    "NuSlerp",
    "Original",
    "Parent",
    "Passthrough",
    "Progress",
    "ProgressiveDistillation",
    "Prune",
    "QuantizationType",
    "Quantize",
    "Ram",
    "RamPlus",
    "RecipeError",
    "Registry",
    "RegistryError",
    "Sce",
    "Scratch",
    "SemanticVersion",
    "Slerp",
    "Stage",
    "Step",
    "StorageError",
    "TaskArithmetic",
    "Tensor",
    "Ties",
    "UniformSoup",
    "UsageError",
    "Verdict",
    "VerificationFailed",
    "__version__",
    "derivation_from_json",
    "distill",
    "evaluate",
    "finetune",
    "generate",
    "merge",
    "merge_recipe",
    "open",
    "plan",
    "prune",
    "quantize",
    "registry",
    "run",
]

_HOMES = {
    "lineal.api.derivations": "distill finetune merge merge_recipe prune quantize",
    "lineal.api.model": "Model Parent",
    "lineal.api.opened": "registry",
    "lineal.api.tensor": "Tensor",
    "lineal.api.uses": "evaluate generate plan run",
    "lineal.derivation": (
        "DataFile Derivation Distillation FineTune Input Merge Original Prune QuantizationType Quantize Step "
        "derivation_from_json"
    ),
    "lineal.errors": (
        "AnswerIsNo CheckpointError DerivationError LicenceConflict LineageCycle LinealError MethodError "
        "MissingExtra NotEnoughSpace RecipeError RegistryError StorageError UsageError VerificationFailed"
    ),
    "lineal.family.progress": "Progress",
    "lineal.family.trust.verify": "Verdict",
    "lineal.lineage.records.records": "Evaluation ModelVersion",
    "lineal.lineage.records.semantic_version": "SemanticVersion",
    "lineal.lineage.records.stages": "Stage",
    "lineal.lineage.registry": "Registry",
    "lineal.methods.distill": (
        "AttentionTransfer Distill EnsembleDistiller KnowledgeDistillation ProgressiveDistillation"
    ),
    "lineal.methods.finetune": "FullFineTune Lora LoraConfig LoraLayer Scratch",
    "lineal.methods.merge": (
        "AdapterMerge ArceeFusion Breadcrumbs BreadcrumbsTies DareLinear DareTies Della DellaLinear "
        "GreedySoup Karcher Linear ModelStock MultiSlerp Nearswap NuSlerp Passthrough Ram RamPlus Sce Slerp "
        "TaskArithmetic Ties UniformSoup"
    ),
    "lineal.methods.prune": "MagnitudePruning",
    "lineal.methods.quantize": "GgufQuantization",
    "lineal.planning": "FineTuneMethod ModelParadigm",
}
"""Where each of them is; a test holds it against the imports above."""
_HOME = {name: (module, name) for module, names in _HOMES.items() for name in names.split()}
_HOME["open"] = ("lineal.api.model", "open_model")


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415 - its import takes longer than that of lineal

        return version("lineal")
    if name not in _HOME:
        raise AttributeError(f"module 'lineal' has no attribute {quoted(name)}")
    module, attribute = _HOME[name]
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted(__all__)
