"""What the blocks of a model put out, one after the other, before the final norm."""

from typing import Any, final

from torch import Tensor, nn
from transformers import PreTrainedModel

from lineal.errors import MethodError


@final
class BlockOutputs:
    """Remembers each block's hidden states, [batch, tokens, dim], in the last forward pass of a model."""

    def __init__(self, model: PreTrainedModel, name: str) -> None:
        blocks = _blocks(model, name)
        self._found: list[Tensor | None] = [None] * len(blocks)
        for index, block in enumerate(blocks):
            block.register_forward_hook(lambda _module, _inputs, output, index=index: self._keep(index, output))

    def take(self) -> list[Tensor]:
        """The outputs, in float32, which are then forgotten."""
        taken = [output.float() for output in self._found if output is not None]
        if len(taken) != len(self._found):
            raise MethodError("hidden states: a forward pass did not go through every block")
        self._found = [None] * len(self._found)
        return taken

    def _keep(self, index: int, output: Any) -> None:
        self._found[index] = output[0] if isinstance(output, tuple) else output


def _blocks(model: PreTrainedModel, name: str) -> list[nn.Module]:
    count = model.config.get_text_config().num_hidden_layers
    lists = [module for module in model.modules() if isinstance(module, nn.ModuleList) and len(module) == count]
    if len(lists) != 1:
        raise MethodError(f"{name}: {len(lists)} lists of {count} modules; which are its blocks cannot be told")
    return list(lists[0])
