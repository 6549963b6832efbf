"""Training weights on text: from scratch, all of them, or a low-rank update."""

from lineal.methods.finetune.full import FullFineTune
from lineal.methods.finetune.lora import Lora, LoraConfig
from lineal.methods.finetune.lora_layer import LoraLayer
from lineal.methods.finetune.lora_targets import LinearLayer, left_out_because, resolve_targets
from lineal.methods.finetune.scratch import Scratch
from lineal.methods.finetune.training import Training

METHODS = (FullFineTune, Lora)
ORIGINALS = (Scratch,)

__all__ = [
    "METHODS",
    "ORIGINALS",
    "FullFineTune",
    "LinearLayer",
    "Lora",
    "LoraConfig",
    "LoraLayer",
    "Scratch",
    "Training",
    "left_out_because",
    "resolve_targets",
]
