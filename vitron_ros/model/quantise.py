"""Quantisation of the language model, through torchao: fewer bytes to read for each token.

Activations are not quantised, except with fp8. On a CPU an int8 model is faster only once its decoding is compiled.
"""

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import nn, no_grad

from vitron_ros.errors import ModelError
from vitron_ros.model.vitron import VitronModel

QuantisedType = Literal["int8", "int4", "fp8"]
FP8_FROM = (8, 9)  # compute capability: Ada


def quantise(model: VitronModel, kind: QuantisedType, calibrate: Callable[[], object] | None = None) -> None:
    """Replaces the weights of the language model's linear layers by low-precision ones with a scale, in place.

    The vision encoder, the projector, norms and embeddings stay as they are, and so does an output layer that shares
    its weights with the embeddings.

    Args:
        kind: int8, one scale a row, on any device; int4, one scale a group of 128, on a GPU with bfloat16 weights;
            fp8, one scale a row, on a GPU of Ada or later with bfloat16 weights. Only fp8 multiplies in 8 bits, too,
            so it is the one that makes prompts faster.
        calibrate: runs this model over examples of its use, one prompt at a time, a few dozen. From what comes in, AWQ
            (arXiv 2306.00978) finds the inputs whose weights matter most. It stores all inputs of all layers until it
            is done. None: the weights alone decide.

    Raises:
        ModelError: the kind is unknown or not for this device, torchao is not installed or cannot do it, or `calibrate`
            did not run the model, which is then of no more use.
    """
    if kind not in ("int8", "int4", "fp8"):
        raise ModelError(f"cannot quantise to {kind!r}; choose int8, int4 or fp8")
    if kind != "int8" and model.device.type != "cuda":
        raise ModelError(f"{kind} needs a GPU, this model is on {model.device}; use int8 here, or move the model first")
    if kind == "fp8" and torch.cuda.get_device_capability(model.device) < FP8_FROM:
        raise ModelError("fp8 needs a GPU of Ada, Hopper or later; use int8 or int4 on this one")
    try:
        from torchao.quantization import quantize_
    except ImportError as error:
        raise ModelError("quantisation needs torchao: pip install 'vitron_ros[quantise]'") from error
    config = _config(kind)
    is_tied = model.config.language.tie_embeddings

    def is_selected(module: nn.Module, name: str) -> bool:
        return isinstance(module, nn.Linear) and not (is_tied and name == "lm_head")

    try:
        if calibrate is None:
            quantize_(model.language, config, filter_fn=is_selected)
        else:
            _quantise_calibrated(model.language, config, is_selected, calibrate)
    except (ImportError, RuntimeError, AssertionError) as error:
        raise ModelError(f"torchao cannot quantise this model to {kind}: {error}") from error


def _config(kind: QuantisedType) -> Any:
    from torchao.quantization import (
        Float8DynamicActivationFloat8WeightConfig,
        Int4WeightOnlyConfig,
        Int8WeightOnlyConfig,
        PerRow,
    )

    if kind == "fp8":
        return Float8DynamicActivationFloat8WeightConfig(granularity=PerRow())
    return Int8WeightOnlyConfig() if kind == "int8" else Int4WeightOnlyConfig(group_size=128)


def _quantise_calibrated(
    language: nn.Module, config: Any, is_selected: Callable[[nn.Module, str], bool], calibrate: Callable[[], object]
) -> None:
    from torchao.prototype.awq import AWQConfig
    from torchao.prototype.awq.core import AWQObservedLinear
    from torchao.quantization import quantize_

    quantize_(language, AWQConfig(config, step="prepare"), filter_fn=is_selected)
    calibrate()
    observed = [module for module in language.modules() if isinstance(module, AWQObservedLinear)]
    if not all(module.act_obs.inputs for module in observed):
        raise ModelError("nothing was calibrated: `calibrate` has to run the model that is to be quantised")
    with no_grad():
        quantize_(language, AWQConfig(config, step="convert"), filter_fn=lambda module, _: module in observed)
