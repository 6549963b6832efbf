"""What it will cost: rules of thumb by paradigm, labelled as such wherever they are shown."""

from lineal.planning.finetune_method import FineTuneMethod
from lineal.planning.paradigm import ModelParadigm

__all__ = ["FineTuneMethod", "ModelParadigm"]
