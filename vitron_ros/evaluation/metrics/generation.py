"""Generated and edited images and videos: distances of features, and of pixels.

Feature vectors (N, D) come from a network that the caller names with the figure (`feature_networks.py`): FID of
Inception, FVD of I3D, IS of Inception or C3D, CLIP score and its kin of one CLIP. Another network, or another filter
for resizing, is another metric. FVD is known to favour the quality of single frames (arXiv 2404.12391).
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vitron_ros.errors import MetricError
from vitron_ros.evaluation.metrics.checks import Values, finite, same_length

Image = NDArray[np.uint8]


def frechet_distance(generated: ArrayLike, true: ArrayLike) -> float:
    """FID, or FVD where features are those of clips: |m - m'|² + tr(C + C' - 2 (C C')^½). (N, D) and (M, D).

    Heusel et al., NeurIPS 2017. Below some thousands of samples it depends on their number: state it.

    Raises:
        MetricError: fewer than two samples, sizes of features differ, or a value is not finite.
    """
    own, other = finite(generated, "generated", (None, None)), finite(true, "true", (None, None))
    if own.shape[1] != other.shape[1] or min(len(own), len(other)) < 2:
        raise MetricError(f"two sets of two features or more, of one size; these are {own.shape} and {other.shape}")
    offset = own.mean(axis=0) - other.mean(axis=0)
    spread, other_spread = (np.atleast_2d(np.cov(features, rowvar=False)) for features in (own, other))
    shared = np.sqrt(np.linalg.eigvals(spread @ other_spread).astype(complex)).real.sum()
    return float(offset @ offset + np.trace(spread) + np.trace(other_spread) - 2 * shared)


def inception_score(probabilities: ArrayLike, splits: int = 10) -> tuple[float, float]:
    """IS, mean and standard deviation over splits, taken in the order given: exp of the mean of KL(p(y|x) || p(y)).

    Salimans et al., NeurIPS 2016, whose code (openai/improved-gan) begins split i at sample i N // splits.

    Args:
        probabilities: (N, C) of the classifier; rows sum to 1.

    Raises:
        MetricError: fewer samples than splits, rows that are no probabilities, or values that are not finite.
    """
    rows = finite(probabilities, "probabilities", (None, None))
    if (rows < 0).any() or not np.allclose(rows.sum(axis=1), 1, atol=1e-4):
        raise MetricError("each row of probabilities is 0 or more and sums to 1; apply the softmax first")
    if not 1 <= splits <= len(rows):
        raise MetricError(f"{len(rows)} samples do not make {splits} splits")
    scores = []
    for part in np.split(rows, len(rows) * np.arange(1, splits) // splits):
        ratio = np.divide(part, part.mean(axis=0), out=np.ones_like(part), where=part > 0)
        scores.append(np.exp((part * np.log(ratio)).sum(axis=1).mean()))
    return float(np.mean(scores)), float(np.std(scores))


def cosine_similarity(features: ArrayLike, others: ArrayLike) -> float:
    """Mean cosine of pairs, (N, D) and (N, D), in [-1, 1].

    CLIP-I or DINO-I: generated against target images (MagicBrush), or against the input (Emu Edit): state which. CLIP-T
    and CLIP-out: images against texts. CLIPSIM: each frame against its video's prompt (Wu et al., 2021).

    Raises:
        MetricError: shapes differ, or a vector is zero or not finite.
    """
    return float(_cosines(features, others).mean())


def clip_score(image_features: ArrayLike, text_features: ArrayLike) -> float:
    """CLIPScore of pairs in torchmetrics' scale: the mean of max(100 cos, 0), 0..100 (Hessel et al., EMNLP 2021).

    torchmetrics cuts the mean alone off at 0, which is the same unless a pair is below 0.

    Raises:
        MetricError: as of `cosine_similarity`.
    """
    return float(np.maximum(100 * _cosines(image_features, text_features), 0).mean())


def clip_direction(
    input_images: ArrayLike, output_images: ArrayLike, input_texts: ArrayLike, output_texts: ArrayLike
) -> float:
    """CLIP-dir: mean cosine of the change of the images' features and that of their captions'. (N, D) each.

    Gal et al., "StyleGAN-NADA", 2022.

    Raises:
        MetricError: shapes differ, a value is not finite, or an image or caption has not changed.
    """
    named = {
        "input images": input_images,
        "output images": output_images,
        "input texts": input_texts,
        "output texts": output_texts,
    }
    before, after, said_before, said_after = (
        _unit(finite(value, name, (None, None)), name) for name, value in named.items()
    )
    if not before.shape == after.shape == said_before.shape == said_after.shape:
        raise MetricError(f"shapes differ: {before.shape}, {after.shape}, {said_before.shape}, {said_after.shape}")
    return cosine_similarity(after - before, said_after - said_before)


def l1(generated: Image, target: Image) -> float:
    """Mean absolute difference per value, 0..1. (H, W, 3) each; MagicBrush resizes the generated one first.

    Raises:
        MetricError: sizes differ, or an image is not uint8 (H, W, 3).
    """
    own, other = _image(generated, "generated"), _image(target, "target")
    if own.shape != other.shape:
        raise MetricError(f"resize the generated image {own.shape[:2]} to the target's size {other.shape[:2]} first")
    return float(np.abs(own - other).mean() / 255)


def flicker(frames: Sequence[Image]) -> float:
    """How still a video is, 0..1: 1 minus the mean absolute difference of successive frames, (H, W, 3) each.

    VBench's temporal flickering (Huang et al., CVPR 2024). A video that stands still has 1.

    Raises:
        MetricError: fewer than two frames, or sizes differ.
    """
    if len(frames) < 2:
        raise MetricError(f"flicker is of two frames or more, there are {len(frames)}")
    if len({np.shape(frame) for frame in frames}) > 1:
        raise MetricError("the frames of a video are of one size")
    return 1 - float(np.mean([l1(frame, before) for before, frame in pairwise(frames)]))


def _cosines(features: ArrayLike, others: ArrayLike) -> Values:
    same_length(features=np.asarray(features), others=np.asarray(others))
    own, other = finite(features, "features", (None, None)), finite(others, "others", (None, None))
    if own.shape != other.shape:
        raise MetricError(f"features of one network are of one size, these are {own.shape} and {other.shape}")
    return np.asarray((_unit(own, "features") * _unit(other, "others")).sum(axis=1))


def _unit(features: Values, name: str) -> Values:
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    if not lengths.all():
        raise MetricError(f"{name} {int(np.argmin(lengths))} is a zero vector, which has no direction")
    return np.asarray(features / lengths)


def _image(image: Image, name: str) -> Values:
    array = np.asarray(image)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or not array.size:
        raise MetricError(f"{name} is an image of uint8 (H, W, 3), this is {array.dtype} {array.shape}")
    return array.astype(np.float64)
