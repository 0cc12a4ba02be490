"""Networks whose features metrics of generation compare, from directories on this machine; nothing is downloaded.

`load_onnx_network`: an ONNX file with `network.json`, into which Inception, I3D or C3D are exported once.
`load_clip`: a CLIP directory as transformers writes it, with weights in safetensors.
Both carry the hash of their weights and how images are resized: the figures depend on either.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from vitron_ros.backends.manifest import sha256
from vitron_ros.errors import EngineError, MetricUnavailable, ModelError
from vitron_ros.evaluation.metrics.checks import Values
from vitron_ros.evaluation.metrics.generation import Image

GRAPH, SETTINGS = "network.onnx", "network.json"
FILTERS = {"area": cv2.INTER_AREA, "linear": cv2.INTER_LINEAR, "cubic": cv2.INTER_CUBIC}
BATCH = 16
DIGITS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageNetwork:
    """
    Attributes:
        name: as the report gives it, such as "inception-v3".
        weights: the first 12 digits of the SHA-256 of its weights.
        resize: how images come to its size, such as "area 299x299".
        features: from N images, uint8 (H, W, 3), or N clips, (T, H, W, 3), to (N, D).
    """

    name: str
    weights: str
    resize: str
    features: Callable[[Sequence[Image]], Values]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipNetwork:
    """CLIP: features of images, uint8 (H, W, 3), and of texts, (N, D) each. `name` and `weights` as of ImageNetwork."""

    name: str
    weights: str
    images: Callable[[Sequence[Image]], Values]
    texts: Callable[[Sequence[str]], Values]


def load_onnx_network(directory: Path | None) -> ImageNetwork:
    """A network from `network.onnx` and `network.json` beside it.

    The graph has one input, float32 (N, 3, H, W) for images or (N, 3, T, H, W) for clips, and one output (N, D). The
    settings are name, height, width, mean and std (three numbers each, of values 0..1) and filter (area, linear or
    cubic).

    Raises:
        MetricUnavailable: no directory is given, a file is missing or damaged, or onnxruntime is not installed.
    """
    folder = _existing(directory, GRAPH, SETTINGS)
    try:
        settings = json.loads((folder / SETTINGS).read_text())
        name, filter_name = str(settings["name"]), str(settings["filter"])
        height, width = int(settings["height"]), int(settings["width"])
        scale, offset = np.array(settings["std"], np.float32), np.array(settings["mean"], np.float32)
        filter_number = FILTERS[filter_name]
        if scale.shape != (3,) or offset.shape != (3,) or not scale.all():
            raise ValueError("mean and std are three numbers each, std not 0")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MetricUnavailable(f"{folder / SETTINGS} cannot be read: {error!r}") from error
    from vitron_ros.backends.onnx_runner import open_session

    try:
        session: Any = open_session(str(folder / GRAPH), str(folder / GRAPH))
    except EngineError as error:
        raise MetricUnavailable(str(error)) from error

    def prepared(image: Image) -> NDArray[np.float32]:
        if image.ndim == 4:
            return np.stack([prepared(frame) for frame in image], axis=1)
        small = cv2.resize(image, (width, height), interpolation=filter_number)
        return np.asarray(((small.astype(np.float32) / 255 - offset) / scale).transpose(2, 0, 1))

    def features(images: Sequence[Image]) -> Values:
        entry = session.get_inputs()[0].name
        batches = [
            session.run(None, {entry: np.stack([prepared(image) for image in images[start : start + BATCH]])})[0]
            for start in range(0, len(images), BATCH)
        ]
        return np.concatenate(batches).reshape(len(images), -1).astype(np.float64)

    return ImageNetwork(
        name=name, weights=sha256(folder / GRAPH)[:DIGITS], resize=f"{filter_name} {width}x{height}", features=features
    )


def load_clip(directory: Path | None) -> ClipNetwork:
    """CLIP from a directory with config.json, model.safetensors, and its tokeniser's and image processor's files.

    Raises:
        MetricUnavailable: no directory is given, or it cannot be read.
    """
    folder = _existing(directory, "config.json", "model.safetensors")
    from transformers import AutoImageProcessor, AutoTokenizer, CLIPModel

    from vitron_ros.model.transformers_directory import LOCAL, load_pretrained, read_part

    try:
        model = load_pretrained(CLIPModel, folder, torch.device("cpu"))
        processor = read_part("image processor", folder, lambda: AutoImageProcessor.from_pretrained(folder, **LOCAL))
        tokenizer = read_part("tokenizer", folder, lambda: AutoTokenizer.from_pretrained(folder, **LOCAL))
    except ModelError as error:
        raise MetricUnavailable(str(error)) from error

    def images(shown: Sequence[Image]) -> Values:
        return _batches(
            shown, lambda part: model.get_image_features(**processor(images=list(part), return_tensors="pt"))
        )

    def texts(said: Sequence[str]) -> Values:
        terms = {"padding": True, "truncation": True, "return_tensors": "pt"}
        return _batches(said, lambda part: model.get_text_features(**tokenizer(list(part), **terms)))

    return ClipNetwork(
        name=folder.name, weights=sha256(folder / "model.safetensors")[:DIGITS], images=images, texts=texts
    )


@torch.inference_mode()
def _batches(values: Sequence[Any], features: Callable[[Sequence[Any]], Any]) -> Values:
    parts = [features(values[start : start + BATCH]) for start in range(0, len(values), BATCH)]
    tensors = [getattr(part, "pooler_output", part) for part in parts]
    return np.asarray(torch.cat(tensors).double().numpy())


def _existing(directory: Path | None, *files: str) -> Path:
    if directory is None:
        raise MetricUnavailable("no directory of a feature network is given")
    missing = [name for name in files if not (directory / name).is_file()]
    if missing:
        raise MetricUnavailable(f"{directory} has no {', '.join(missing)}")
    return directory
