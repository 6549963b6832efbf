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
        imatrix,
        plan,
        run,
    )
    from lineal.cli.progress_bars import TerminalProgress
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
    from lineal.methods.distill.attention import AttentionTransfer
    from lineal.methods.distill.distill import Distill
    from lineal.methods.distill.ensemble import EnsembleDistiller
    from lineal.methods.distill.knowledge import KnowledgeDistillation
    from lineal.methods.distill.progressive import ProgressiveDistillation
    from lineal.methods.finetune.full import FullFineTune
    from lineal.methods.finetune.lora import Lora, LoraConfig
    from lineal.methods.finetune.lora_layer import LoraLayer
    from lineal.methods.finetune.scratch import Scratch
    from lineal.methods.merge.adapter import AdapterMerge
    from lineal.methods.merge.arcee_fusion import ArceeFusion
    from lineal.methods.merge.breadcrumbs import Breadcrumbs, BreadcrumbsTies
    from lineal.methods.merge.dare import DareLinear, DareTies
    from lineal.methods.merge.della import Della, DellaLinear
    from lineal.methods.merge.karcher import Karcher
    from lineal.methods.merge.linear import Linear
    from lineal.methods.merge.model_stock import ModelStock
    from lineal.methods.merge.multislerp import MultiSlerp
    from lineal.methods.merge.nearswap import Nearswap
    from lineal.methods.merge.nuslerp import NuSlerp
    from lineal.methods.merge.passthrough import Passthrough
    from lineal.methods.merge.ram import Ram, RamPlus
    from lineal.methods.merge.sce import Sce
    from lineal.methods.merge.slerp import Slerp
    from lineal.methods.merge.soup import GreedySoup, UniformSoup
    from lineal.methods.merge.task_arithmetic import TaskArithmetic
    from lineal.methods.merge.ties import Ties
    from lineal.methods.prune.magnitude import MagnitudePruning
    from lineal.methods.quantize.awq import Awq
    from lineal.methods.quantize.gguf import GgufQuantization
    from lineal.methods.quantize.gptq import Gptq
    from lineal.methods.quantize.smoothquant import SmoothQuant
    from lineal.methods.quantize.static import StaticScales
    from lineal.planning.finetune_method import FineTuneMethod
    from lineal.planning.paradigm import ModelParadigm

    __version__: str

__all__ = [
    "AdapterMerge",
    "AnswerIsNo",
    "ArceeFusion",
    "AttentionTransfer",
    "Awq",
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
    "Gptq",
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
    "SmoothQuant",
    "Stage",
    "StaticScales",
    "Step",
    "StorageError",
    "TaskArithmetic",
    "Tensor",
    "TerminalProgress",
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
    "imatrix",
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
    "lineal.api.uses": "evaluate generate imatrix plan run",
    "lineal.cli.progress_bars": "TerminalProgress",
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
    "lineal.methods.distill.attention": "AttentionTransfer",
    "lineal.methods.distill.distill": "Distill",
    "lineal.methods.distill.ensemble": "EnsembleDistiller",
    "lineal.methods.distill.knowledge": "KnowledgeDistillation",
    "lineal.methods.distill.progressive": "ProgressiveDistillation",
    "lineal.methods.finetune.full": "FullFineTune",
    "lineal.methods.finetune.lora": "Lora LoraConfig",
    "lineal.methods.finetune.lora_layer": "LoraLayer",
    "lineal.methods.finetune.scratch": "Scratch",
    "lineal.methods.merge.adapter": "AdapterMerge",
    "lineal.methods.merge.arcee_fusion": "ArceeFusion",
    "lineal.methods.merge.breadcrumbs": "Breadcrumbs BreadcrumbsTies",
    "lineal.methods.merge.dare": "DareLinear DareTies",
    "lineal.methods.merge.della": "Della DellaLinear",
    "lineal.methods.merge.karcher": "Karcher",
    "lineal.methods.merge.linear": "Linear",
    "lineal.methods.merge.model_stock": "ModelStock",
    "lineal.methods.merge.multislerp": "MultiSlerp",
    "lineal.methods.merge.nearswap": "Nearswap",
    "lineal.methods.merge.nuslerp": "NuSlerp",
    "lineal.methods.merge.passthrough": "Passthrough",
    "lineal.methods.merge.ram": "Ram RamPlus",
    "lineal.methods.merge.sce": "Sce",
    "lineal.methods.merge.slerp": "Slerp",
    "lineal.methods.merge.soup": "GreedySoup UniformSoup",
    "lineal.methods.merge.task_arithmetic": "TaskArithmetic",
    "lineal.methods.merge.ties": "Ties",
    "lineal.methods.prune.magnitude": "MagnitudePruning",
    "lineal.methods.quantize.awq": "Awq",
    "lineal.methods.quantize.gguf": "GgufQuantization",
    "lineal.methods.quantize.gptq": "Gptq",
    "lineal.methods.quantize.smoothquant": "SmoothQuant",
    "lineal.methods.quantize.static": "StaticScales",
    "lineal.planning.finetune_method": "FineTuneMethod",
    "lineal.planning.paradigm": "ModelParadigm",
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
