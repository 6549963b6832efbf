"""Losses that teach a student from teachers. They work on torch tensors and import no torch themselves."""

from lineal.methods.distill.attention import AttentionTransfer
from lineal.methods.distill.distill import Attention, Distill, Progressive
from lineal.methods.distill.ensemble import EnsembleDistiller
from lineal.methods.distill.knowledge import KnowledgeDistillation
from lineal.methods.distill.progressive import ProgressiveDistillation

METHODS = (Distill,)

__all__ = [
    "METHODS",
    "Attention",
    "AttentionTransfer",
    "Distill",
    "EnsembleDistiller",
    "KnowledgeDistillation",
    "Progressive",
    "ProgressiveDistillation",
]
