"""Weight-only quantisation of the language model, through torchao: fewer bytes to read for each token.

Activations stay as they are. On a CPU an int8 model is faster only once its decoding is compiled.
"""

from typing import Literal

from torch import nn

from vitron_ros.errors import ModelError
from vitron_ros.model.vitron import VitronModel

Kind = Literal["int8", "int4"]


def quantise(model: VitronModel, kind: Kind) -> None:
    """Replaces the weights of the language model's linear layers by integers with a scale, in place.

    The vision encoder, the projector, norms and embeddings stay as they are, and so does an output layer that shares
    its weights with the embeddings.

    Args:
        kind: int8, one scale a row, on any device; int4, one scale a group of 128, on a GPU with bfloat16 weights.

    Raises:
        ModelError: the kind is unknown or not for this device, or torchao is not installed or cannot do it.
    """
    if kind not in ("int8", "int4"):
        raise ModelError(f"cannot quantise to {kind!r}; choose int8 or int4")
    if kind == "int4" and model.device.type != "cuda":
        raise ModelError(f"int4 needs a GPU, this model is on {model.device}; use int8 here, or move the model first")
    try:
        from torchao.quantization import Int4WeightOnlyConfig, Int8WeightOnlyConfig, quantize_
    except ImportError as error:
        raise ModelError("quantisation needs torchao: pip install 'vitron_ros[quantise]'") from error
    config = Int8WeightOnlyConfig() if kind == "int8" else Int4WeightOnlyConfig(group_size=128)
    is_tied = model.config.language.tie_embeddings

    def chosen(module: nn.Module, name: str) -> bool:
        return isinstance(module, nn.Linear) and not (is_tied and name == "lm_head")

    try:
        quantize_(model.language, config, filter_fn=chosen)
    except (ImportError, NotImplementedError, RuntimeError, AssertionError) as error:
        raise ModelError(f"torchao cannot quantise this model to {kind}: {error}") from error
