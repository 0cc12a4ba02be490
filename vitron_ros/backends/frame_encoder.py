"""The frame encoder: prepared frames to visual tokens, on a backend that agrees with torch.

    encoder = build_frame_encoder(model)                     # or "torch", "onnxruntime", ...
    encoded = encoder.encode(model.pixels(frames))
    encoded.visual.tokens                                    # (T, K, D), as model.visual_tokens
    encoded = encoder.encode(pixels, regions=True)
    model.region_tokens(encoded.features, [marked])

The order of `auto` is fixed rather than measured, so that the same machine gives the same numbers on every start.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import torch
from torch import Tensor

from vitron_ros.backends.agreement import compare
from vitron_ros.backends.graphs import Graph, build_graph, fingerprint
from vitron_ros.backends.manifest import Manifest, manifest_path, read_manifest
from vitron_ros.backends.onnx_cache import cached_onnx
from vitron_ros.backends.onnx_runner import OnnxRunner, require_onnxruntime
from vitron_ros.backends.runner import EngineRunner, random_inputs
from vitron_ros.backends.tensorrt_runner import LIBRARIES, TensorRTRunner
from vitron_ros.backends.torch_runner import TorchRunner
from vitron_ros.errors import ConfigError, EngineError
from vitron_ros.model.vision import VisionFeatures
from vitron_ros.model.vitron import VisualTokens, VitronModel

Backend = Literal["auto", "torch", "compiled", "cuda_graphs", "onnxruntime", "tensorrt", "tensorrt_rtx"]
ENCODERS = ("auto", "torch", "compiled", "cuda_graphs", "onnxruntime", "tensorrt", "tensorrt_rtx")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class EncodedFrames:
    """What a clip became.

    Attributes:
        features: patches and levels, for `VitronModel.region_tokens`; None unless they were asked for.
    """

    visual: VisualTokens
    features: VisionFeatures | None = None


class FrameEncoder(Protocol):
    """Encodes frames. Used by one thread.

    Attributes:
        name: backend and device, for logs.
    """

    name: str

    def encode(self, pixels: Tensor, *, regions: bool = False) -> EncodedFrames:
        """Prepared frames (T, 3, S, S) float32 on the model's device, T from 1 to the model's `max_frames`.

        Args:
            regions: give the features, too.

        Raises:
            ModelError: the pixels do not fit the model.
        """
        ...

    def close(self) -> None:
        """Frees what the encoder holds."""
        ...


class TorchFrameEncoder:
    """The model's own modules, eager. For every model: video towers and averages over time as well."""

    def __init__(self, model: VitronModel) -> None:
        self._model = model
        self.name = f"torch eager on {model.device.type}"

    @torch.inference_mode()
    def encode(self, pixels: Tensor, *, regions: bool = False) -> EncodedFrames:
        features = self._model.features(pixels)
        return EncodedFrames(self._model.visual_tokens(features), features if regions else None)

    def close(self) -> None:
        pass


class RunnerFrameEncoder:
    """Any runner of the part `frames`; owns it. Clips longer than the runner takes go through in pieces."""

    def __init__(self, runner: EngineRunner, model: VitronModel) -> None:
        self._runner, self._most = runner, model.config.max_frames
        self._levels = [f"level.{level}" for level in model.config.region_levels]
        self.name = runner.name

    def encode(self, pixels: Tensor, *, regions: bool = False) -> EncodedFrames:
        frames = pixels.shape[0]
        if not 1 <= frames <= self._most:
            raise EngineError(f"a clip has 1 to {self._most} frames, not {frames}; sample fewer or split it")
        names = [spec.name for spec in self._runner.outputs]
        if regions and "patches" not in names:
            raise EngineError(f"{self.name} gives no levels for regions; build its engine with levels: true")
        pieces = [self._runner.run({"pixels": piece}) for piece in self._pieces(pixels)]
        outputs = (
            {name: torch.cat([piece[name] for piece in pieces]) for name in names} if len(pieces) > 1 else pieces[0]
        )
        visual = VisualTokens(outputs["tokens"], outputs.get("indices"))
        if not regions:
            return EncodedFrames(visual)
        levels = tuple(outputs[name] for name in self._levels)
        return EncodedFrames(visual, VisionFeatures(outputs["patches"], levels))

    def _pieces(self, pixels: Tensor) -> Iterator[Tensor]:
        low, high = self._runner.limits["frames"]
        for start in range(0, len(pixels), high):
            piece = pixels[start : start + high]
            if len(piece) < low:
                raise EngineError(f"{self.name} takes at least {low} frames, {len(piece)} are left; build it from 1")
            yield piece

    def close(self) -> None:
        self._runner.close()


def build_frame_encoder(model: VitronModel, backend: Backend = "auto", *, folder: Path | None = None) -> FrameEncoder:
    """A frame encoder of a model in evaluation mode, compared with torch before it is returned.

    auto on a GPU: an engine of TensorRT that fits, else torch. auto on a CPU: ONNX Runtime with float32 weights, its
    graph exported once and cached, else torch. The choice and its reason are logged; a backend that fails is a warning.

    Args:
        folder: of engines; None: $VITRON_ENGINES, or else the user's cache.

    Raises:
        ConfigError: there is no such backend.
        EngineError: the backend, unless auto, is not there, cannot take this model or disagrees with torch.
    """
    if backend not in ENCODERS:
        raise ConfigError(f"backend is {backend!r}; it must be one of {', '.join(ENCODERS)}")
    folder = engine_folder() if folder is None else folder
    if backend == "auto":
        encoder, reason = _choose(model, folder)
        logger.info("frames are encoded by %s: %s", encoder.name, reason)
        return encoder
    if backend == "torch":
        return TorchFrameEncoder(model)
    return _build(model, backend, folder)


def engine_folder() -> Path:
    """The folder of engines: $VITRON_ENGINES, or vitron_ros/engines in the user's cache."""
    named = os.environ.get("VITRON_ENGINES")
    if named:
        return Path(named)
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "vitron_ros" / "engines"


def _choose(model: VitronModel, folder: Path) -> tuple[FrameEncoder, str]:
    """An encoder, and why it."""
    chosen = "it agrees with torch, and small models are faster on it"
    if model.device.type == "cuda":
        candidates = [library for library in LIBRARIES if list(_manifests(folder, library))]
        chosen = "an engine that fits this GPU and agrees with torch"
        reason = f"no engine of this machine in {folder}; build one with: python -m engines.build"
    elif model.dtype == torch.float32:
        candidates, reason = ["onnxruntime"], "ONNX Runtime cannot be used"
    else:
        candidates, reason = [], f"on {model.device.type} with {model.dtype} weights nothing else was found faster"
    for candidate in candidates:
        try:
            return _build(model, candidate, folder), chosen
        except EngineError as error:
            logger.warning("frames fall back to torch: %s", error)
    return TorchFrameEncoder(model), reason


def _build(model: VitronModel, backend: str, folder: Path) -> FrameEncoder:
    graph = build_graph(model, "frames", levels=True)
    runner: EngineRunner
    if backend == "onnxruntime":
        provider: Literal["cpu", "cuda"] = "cuda" if model.device.type == "cuda" else "cpu"
        require_onnxruntime(provider)  # before a graph is exported for nothing
        runner = OnnxRunner(cached_onnx(graph, model.config, folder), provider=provider, limits=graph.limits)
    elif backend in LIBRARIES:
        runner = TensorRTRunner(_find_engine(graph, backend, folder), weights=fingerprint(graph.module))
    else:
        runner = TorchRunner(graph, "compiled" if backend == "compiled" else "cuda_graphs")
    try:
        if all(spec.name != "patches" for spec in runner.outputs):
            raise EngineError(
                f"{runner.name} gives no patches, which grounding needs; build its engine with levels: true"
            )
        check_agreement(graph, runner)
    except EngineError:
        runner.close()
        raise
    return RunnerFrameEncoder(runner, model)


def check_agreement(graph: Graph, runner: EngineRunner) -> None:
    """Compares a runner with eager torch on noise, for the fewest and for more frames.

    Raises:
        EngineError: they disagree, or the runner fails.
    """
    low, high = runner.limits["frames"]
    with TorchRunner(graph) as reference:
        for seed, frames in enumerate({low, min(high, low + 1)}):
            inputs = random_inputs(graph.inputs, {"frames": frames}, seed, graph.device.type)
            expected, outputs = reference.run(inputs), runner.run(inputs)
            worst = compare({name: expected[name] for name in outputs}, outputs, runner.precision)[0]
            if not worst.is_within:
                raise EngineError(f"{runner.name} disagrees with torch on the same frames: {worst}; rebuild its engine")


def _find_engine(graph: Graph, library: str, folder: Path) -> Path:
    """The engine of these weights, or of others, which the runner then refuses with the reason."""
    weights = fingerprint(graph.module)
    found = sorted(_manifests(folder, library), key=lambda each: each[1].weights != weights)
    if not found:
        raise EngineError(
            f"there is no {library} engine of frames in {folder}; build one with: python -m engines.build"
        )
    return found[0][0]


def _manifests(folder: Path, library: str) -> Iterator[tuple[Path, Manifest]]:
    for path in sorted(folder.glob("*.engine")) if folder.is_dir() else ():
        if manifest_path(path).is_file():
            with suppress(EngineError):
                manifest = read_manifest(path)
                if manifest.part == "frames" and manifest.library == library:
                    yield path, manifest
