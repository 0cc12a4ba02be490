"""Post-training quantisation of an ONNX graph to int8 products, calibrated on images like those of its use.

ONNX Runtime's static quantisation puts a pair of QuantizeLinear and DequantizeLinear before every matrix product and
convolution; TensorRT fuses them into int8 kernels. All else, sums and biases too, stays in float32.
"""

import logging
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from engines.profile import WORLDS
from training.images import read_images
from training.worlds import make_clip
from vitron_ros.errors import EngineError
from vitron_ros.frame import Image

IMAGES = 64  # for calibration
PRODUCTS = ["MatMul", "Gemm", "Conv"]


def calibration_images(source: str, size: int) -> list[Image]:
    """Images of a folder, evenly sampled, or `worlds`: generated images of size x size px.

    Raises:
        ConfigError: the folder has none.
    """
    if source == WORLDS:
        return [make_clip(seed, frames=1, size=size).frames[0] for seed in range(IMAGES)]
    return read_images(Path(source), IMAGES)


def write_int8(onnx: Path, target: Path, pixels: Sequence[Tensor]) -> Path:
    """Writes a graph of pixels with its products in int8; gives the target, which appears whole or not at all.

    Args:
        onnx: the graph in float32, with one input `pixels`.
        pixels: inputs (T, 3, S, S) float32, from which the ranges of all tensors are taken.

    Raises:
        EngineError: ONNX Runtime is not installed, or cannot quantise the graph.
    """
    try:
        from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    except ImportError as error:
        raise EngineError("int8 needs onnxruntime: pip install 'vitron_ros[engines]'") from error

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._left = iter(pixels)

        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            each = next(self._left, None)
            return None if each is None else {"pixels": each.numpy()}

    partial = target.with_name(f".{os.getpid()}-{target.name}")
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)  # it advises a preparation that does nothing for an exported graph
    try:
        quantize_static(
            str(onnx),
            str(partial),
            Reader(),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            op_types_to_quantize=PRODUCTS,
            # TensorRT takes int8 alone: no offsets, and no biases in int32.
            extra_options={"ActivationSymmetric": True, "WeightSymmetric": True, "QuantizeBias": False},
        )
        partial.replace(target)
    except (RuntimeError, ValueError) as error:
        raise EngineError(f"ONNX Runtime cannot quantise {onnx}: {error}") from error
    finally:
        root.setLevel(level)
        partial.unlink(missing_ok=True)
    return target
