"""How well edits are done: removal where the background is known, and recolouring where the hue is."""

import time
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vitron_ros.evaluation.covered_clips import CoveredClip
from vitron_ros.frame import Frame, Image
from vitron_ros.module_registry import Action, Module
from vitron_ros.modules.colours import colour_lab, lab_of
from vitron_ros.modules.editing.compositing import grown
from vitron_ros.modules.editing.flicker import flicker
from vitron_ros.modules.module import Mask, ModuleBackend, ModuleJob, ModuleResult, Progress

HUES = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "cyan")
INPAINT = {"telea": cv2.INPAINT_TELEA, "ns": cv2.INPAINT_NS}
RADIUS = 3  # px, of OpenCV's inpainting
HOLE = 4  # px, by which a mask is grown for it: the dilation by 9 x 9 px that is usual
CORE = 0.2  # of the square root of a mask's area, px: its rim, which is not measured, is a fifth of that


def removal(backend: ModuleBackend, clip: CoveredClip) -> tuple[dict[str, Any], Sequence[Image]]:
    """Figures of one clip, and the edited images.

    Keys: `psnr` (dB inside the mask, mean over frames), `telea`, `ns` (of OpenCV's inpainting frame
    by frame), `gain` (over the better of them), `unseen` (the result's own sentence), `ms_per_frame` (CPU time),
    `flicker`, `source_flicker` (grey levels, where the object was; of the result and of the true background),
    `untouched` (whether all beyond the result's masks is the source bit for bit).
    """
    start = time.process_time()
    result = _run(backend, "remove", "the object", clip.images, clip.masks)
    ms = (time.process_time() - start) / len(clip.images) * 1000
    plain = {}
    for name, method in INPAINT.items():
        holes = [grown(mask, HOLE).astype(np.uint8) for mask in clip.masks]
        filled = [cv2.inpaint(*pair, RADIUS, method) for pair in zip(clip.images, holes, strict=True)]
        plain[name] = _psnr(filled, clip.backgrounds, clip.masks)
    areas = [mask > 0 for mask in clip.masks]
    ours = _psnr(result.images, clip.backgrounds, clip.masks)
    figures = {
        "gain": ours - max(plain.values()),
        "psnr": ours,
        **plain,
        "unseen": result.message,
        "ms_per_frame": ms,
        "flicker": flicker(result.images, clip.backgrounds, areas),
        "source_flicker": flicker(clip.backgrounds, clip.backgrounds, areas),
        "untouched": _is_untouched(result, clip.images),
    }
    return figures, result.images


def recolouring(
    backend: ModuleBackend, images: Sequence[Image], masks: Sequence[Mask]
) -> tuple[dict[str, Any], Sequence[Image]]:
    """Figures of recolouring one object in all of `HUES`, over a clip of T images (H, W, 3) with masks (H, W), and the
    first image in each hue.

    Keys: `hue_error` (degrees in CIE Lab between the object's median colour and the asked one, mean over hues and
    frames), `worst_hue_error`, `shading` (correlation of the lightness before and after; None: nothing is shaded),
    `ms_per_frame`, `flicker`, `source_flicker` (grey levels, inside the object), `untouched`.
    """
    errors, shading, flickers, seconds, untouched = [], [], [], 0.0, True
    recoloured = []
    areas = [_core(mask) for mask in masks]
    for colour in HUES:
        start = time.process_time()
        result = _run(backend, "recolour", f"the object to {colour}", images, masks)
        seconds += time.process_time() - start
        untouched = untouched and _is_untouched(result, images)
        recoloured.append(result.images[0])
        flickers.append(flicker(result.images, images, areas))
        for image, new, area in zip(images, result.images, areas, strict=True):
            if area.any():
                before, after = lab_of(image)[area], lab_of(new)[area]
                errors.append(_hue_error(np.median(after, axis=0), colour))
                shading.append(_correlation(before[:, 0], after[:, 0]))
    figures = {
        "hue_error": float(np.mean(errors)),
        "worst_hue_error": float(np.max(errors)),
        "shading": None if np.isnan(shading).all() else float(np.nanmean(shading)),
        "ms_per_frame": seconds / len(HUES) / len(images) * 1000,
        "flicker": float(np.mean(flickers)),
        "source_flicker": flicker(images, images, areas),
        "untouched": untouched,
    }
    return figures, recoloured


def _run(
    backend: ModuleBackend, action: Action, text: str, images: Sequence[Image], masks: Sequence[Mask]
) -> ModuleResult:
    frames = tuple(Frame(rgb=image, stamp_ns=0, index=index) for index, image in enumerate(images))
    job = ModuleJob(module=Module.VIDEO_EDITING, action=action, text=text, frames=frames, masks=tuple(masks))
    return backend.run(job, Progress())


def _is_untouched(result: ModuleResult, images: Sequence[Image]) -> bool:
    return all(
        np.array_equal(new[mask == 0], image[mask == 0])
        for new, image, mask in zip(result.images, images, result.masks, strict=True)
    )


def _psnr(images: Sequence[Image], truths: Sequence[Image], masks: Sequence[Mask]) -> float:
    """In the masks, mean over the frames whose mask is not empty, dB; at most 60."""
    errors = [
        np.mean((image[mask > 0].astype(np.float64) - truth[mask > 0]) ** 2)
        for image, truth, mask in zip(images, truths, masks, strict=True)
        if mask.any()
    ]
    return float(np.mean(np.minimum(60, 10 * np.log10(255**2 / np.maximum(errors, 1e-9)))))


def _core(mask: Mask) -> NDArray[np.bool_]:
    """A mask without its rim; the mask itself where that leaves nothing."""
    inside = (mask > 127).astype(np.uint8)
    depth = cv2.distanceTransform(inside, cv2.DIST_L2, 3)
    core = depth > min(CORE * np.sqrt(inside.sum()) / 2, depth.max() / 2)
    return np.asarray(core & (inside > 0))


def _hue_error(lab: NDArray[np.floating], colour: str) -> float:
    _, a, b = colour_lab(colour)
    turn = np.arctan2(lab[2], lab[1]) - np.arctan2(b, a)
    return float(abs(np.degrees(np.angle(np.exp(1j * turn)))))


def _correlation(before: NDArray[np.floating], after: NDArray[np.floating]) -> float:
    if before.std() < 0.5 or after.std() < 0.5:
        return float("nan")  # nothing is shaded
    return float(np.corrcoef(before, after)[0, 1])
