"""Backend selection: which library encodes frames and which decodes answers, for each backend that a user can name.

    auto      on a CPU with float32 weights ONNX Runtime, on a GPU an engine of TensorRT; torch for what they do not
              support, and for large models on a CPU, where torch is as fast
    torch     the model's own modules
    onnx      frames on ONNX Runtime, and on a CPU answers as well
    tensorrt  frames by an engine of TensorRT or TensorRT for RTX; answers by torch

Every choice is compared with torch on this machine before it is returned. The order of `auto` is fixed rather
than measured, so that the same machine gives the same numbers on every start.
"""

import logging
from dataclasses import dataclass
from pathlib import Path

import torch

from vitron_ros.backends.frame_encoder import FrameEncoder, TorchFrameEncoder, build_frame_encoder, engine_folder
from vitron_ros.backends.onnx_language import OnnxLanguage, check_language
from vitron_ros.backends.onnx_runner import require_onnxruntime
from vitron_ros.backends.tensorrt_runner import LIBRARIES
from vitron_ros.config import BACKENDS
from vitron_ros.errors import ConfigError, EngineError
from vitron_ros.model.language import LanguageModel
from vitron_ros.model.vitron import VitronModel

# Of ViT-L/14 at 336 px, 0.3 billion weights, ONNX Runtime needed 1.07 times torch's time (docs/engines.md).
LARGE_MODEL = 100_000_000

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, eq=False)
class ModelBackends:
    """The encoder of a model's frames and the decoder of its answers."""

    encoder: FrameEncoder
    language: LanguageModel


def select_backends(
    model: VitronModel, backend: str = "auto", *, folder: Path | None = None, torch_decodes: bool = False
) -> ModelBackends:
    """The backends of a model in evaluation mode. The choice of auto and its reason are logged; a failure is a warning.

    Args:
        backend: one of `config.BACKENDS`.
        folder: of engines and exported graphs; None: $VITRON_ENGINES, or else the user's cache.
        torch_decodes: the language model's weights or its cache are in fewer bits, which only torch supports.

    Raises:
        ConfigError: there is no such backend.
        EngineError: the backend, unless auto, is not there, cannot take this model or disagrees with torch.
    """
    folder = engine_folder() if folder is None else folder
    if backend == "torch":
        return _torch_backends(model)
    if backend == "onnx":
        is_cpu = model.device.type == "cpu"
        if is_cpu and torch_decodes:
            raise EngineError(
                "ONNX Runtime decodes with full weights and a full cache; set the backend to auto, or both to full"
            )
        encoder = build_frame_encoder(model, "onnxruntime", folder=folder)
        return ModelBackends(encoder=encoder, language=_onnx_language(model) if is_cpu else model.language)
    if backend == "tensorrt":
        return ModelBackends(encoder=_tensorrt_encoder(model, folder), language=model.language)
    if backend != "auto":
        raise ConfigError(f"backend is {backend!r}; it must be one of {', '.join(BACKENDS)}")
    if model.device.type == "cpu" and model.dtype == torch.float32:
        count = sum(weight.numel() for weight in model.parameters())
        if count > LARGE_MODEL:
            logger.info("%s runs on torch: of %.0f million weights it is as fast", model.config.name, count / 1e6)
            return _torch_backends(model)
        try:
            require_onnxruntime()
        except EngineError as error:
            logger.warning("%s runs on torch, which is slower here: %s", model.config.name, error)
            return _torch_backends(model)
    encoder = build_frame_encoder(model, "auto", folder=folder)
    return ModelBackends(encoder=encoder, language=model.language if torch_decodes else _select_language(model))


def _torch_backends(model: VitronModel) -> ModelBackends:
    return ModelBackends(encoder=TorchFrameEncoder(model), language=model.language)


def _select_language(model: VitronModel) -> LanguageModel:
    if model.device.type != "cpu" or model.dtype != torch.float32:
        logger.info("answers are decoded by torch: on %s with %s weights", model.device.type, model.dtype)
        return model.language
    try:
        language = _onnx_language(model)
    except EngineError as error:
        logger.warning("answers fall back to torch: %s", error)
        return model.language
    logger.info("answers are decoded by %s: it agrees with torch and takes half the time a token", language.name)
    return language


def _onnx_language(model: VitronModel) -> OnnxLanguage:
    language = OnnxLanguage(model.language)
    check_language(model.language, language)
    return language


def _tensorrt_encoder(model: VitronModel, folder: Path) -> FrameEncoder:
    """By the first library that has an engine; what is wrong with each, if none fits."""
    if model.device.type != "cuda":
        raise EngineError("TensorRT runs on a GPU; set the device to cuda, or use the backend onnx or torch here")
    wrong = []
    for library in LIBRARIES:
        try:
            return build_frame_encoder(model, library, folder=folder)  # type: ignore[arg-type]
        except EngineError as error:
            wrong.append(str(error))
    raise EngineError("; ".join(wrong))
