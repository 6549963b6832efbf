"""lineal derives models from models, and knows where every one of them came from.

The public names are loaded when they are first used: importing lineal imports neither torch nor numpy.
"""

from importlib import import_module
from typing import Any

from lineal.shown import quoted

_PUBLIC = {
    "lineal.derivation": (
        "DataFile",
        "Derivation",
        "Distillation",
        "FineTune",
        "Input",
        "Merge",
        "Original",
        "Prune",
        "QuantizationType",
        "Quantize",
        "Step",
        "derivation_from_json",
    ),
    "lineal.errors": ("LinealError",),
    "lineal.lineage.records.records": ("ModelVersion",),
    "lineal.lineage.registry": ("Registry",),
    "lineal.lineage.records.semantic_version": ("SemanticVersion",),
    "lineal.lineage.records.stages": ("Stage",),
    "lineal.methods.distill": (
        "AttentionTransfer",
        "Distill",
        "EnsembleDistiller",
        "KnowledgeDistillation",
        "ProgressiveDistillation",
    ),
    "lineal.methods.finetune": ("FullFineTune", "Lora", "LoraConfig", "LoraLayer"),
    "lineal.methods.merge": (
        "AdapterMerge",
        "ArceeFusion",
        "Breadcrumbs",
        "BreadcrumbsTies",
        "DareLinear",
        "DareTies",
        "Della",
        "DellaLinear",
        "Karcher",
        "Linear",
        "ModelStock",
        "MultiSlerp",
        "Nearswap",
        "NuSlerp",
        "Passthrough",
        "Ram",
        "RamPlus",
        "Sce",
        "Slerp",
        "TaskArithmetic",
        "Ties",
    ),
    "lineal.methods.prune": ("MagnitudePruning",),
    "lineal.methods.quantize": ("GgufQuantization",),
    "lineal.planning": ("FineTuneMethod", "ModelParadigm"),
}
_HOME = {name: module for module, names in _PUBLIC.items() for name in names}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415 - its import takes longer than that of lineal

        return version("lineal")
    if name not in _HOME:
        raise AttributeError(f"module 'lineal' has no attribute {quoted(name)}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(_HOME)
