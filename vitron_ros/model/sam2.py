"""SAM 2 and EdgeTAM on a live stream: an image in, an object's mask out, in memory that does not grow.

Ravi et al., arXiv 2408.00714; Zhou et al., arXiv 2501.07256. The networks are those of transformers, whose session
keeps every image and every output. Here each object has a session of its own, so that one that comes or goes leaves the
others alone, the features of an image are computed once for all objects, and what no later image needs is dropped.
Trackers, model families and modules use it, so it stands below all of them.

Shapes: S the network's side in px, H, W those of the image.
"""

import importlib.util
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from transformers import EdgeTamVideoModel, Sam2VideoModel
from transformers.models.edgetam_video.modeling_edgetam_video import EdgeTamVideoInferenceSession
from transformers.models.sam2_video.modeling_sam2_video import Sam2VideoInferenceSession

from vitron_ros.errors import ModelError
from vitron_ros.frame import Image
from vitron_ros.model.files import quoted, read_json
from vitron_ros.model.object_mask import ObjectMask
from vitron_ros.model.square_image import Normalisation, SquareImage, read_normalisation
from vitron_ros.model.transformers_directory import load_pretrained, read_part
from vitron_ros.region import Region, RegionKind

CLASSES = {
    "sam2_video": (Sam2VideoModel, Sam2VideoInferenceSession),
    "edgetam_video": (EdgeTamVideoModel, EdgeTamVideoInferenceSession),
}
CLICK, FIRST_CORNER, LAST_CORNER = 1, 2, 3  # labels of points


@dataclass(frozen=True, slots=True, eq=False)
class EncodedImage:
    """What the network sees in an image of `width` by `height` px."""

    features: dict[str, Any]
    width: int
    height: int


class Sam2Network:
    """The network of a directory. May be used by several threads."""

    def __init__(self, model: Any, normalisation: Normalisation) -> None:
        self.model = model
        self.side = int(model.config.image_size)
        self.pixels = SquareImage(self.side, normalisation, model)
        self._newest = threading.local()  # a camera's thread asks for the same image once for each of its targets

    @classmethod
    def load(cls, directory: Path, device: torch.device) -> "Sam2Network":
        """
        Raises:
            ModelError: a file is missing or damaged, is of another kind of model, or needs a package that is missing.
        """
        kind = check_kind(read_json(directory / "config.json"), str(directory))
        normalisation = read_normalisation(directory)
        network = cls(load_pretrained(CLASSES[kind][0], directory, device), normalisation)
        blank = np.zeros((32, 32, 3), np.uint8)  # what does not fit together shows in a first pass
        read_part("model", directory, lambda: Sam2Object(network, network.encode(blank), Region.from_point(16, 16)))
        return network

    @torch.inference_mode()
    def encode(self, rgb: Image) -> EncodedImage:
        """The features of an image (H, W, 3) uint8; at once for one that this thread asked for just before."""
        newest: tuple[Image, EncodedImage] | None = getattr(self._newest, "pair", None)
        if newest is not None and newest[0] is rgb:
            return newest[1]
        outputs = self.model.get_image_features(self.pixels(rgb), return_dict=True)
        features = {
            "vision_feats": outputs.fpn_hidden_states,
            "vision_pos_embeds": outputs.fpn_position_encoding,
        }
        encoded = EncodedImage(features, width=rgb.shape[1], height=rgb.shape[0])
        self._newest.pair = (rgb, encoded)
        return encoded

    def new_session(self) -> Any:
        device = self.model.device
        return CLASSES[self.model.config.model_type][1](
            inference_device=device, inference_state_device=device, video_storage_device=device, dtype=self.model.dtype
        )


class Sam2Object:
    """One object of a stream. Used by one thread.

    Attributes:
        newest: its mask in the image that came last.
    """

    def __init__(self, network: Sam2Network, image: EncodedImage, region: Region) -> None:
        """Take what a region marks in an image as the object: a box, clicks (point, scribble), or pixels."""
        self._network = network
        self._session = network.new_session()
        self._index = 0
        place = self._session.obj_id_to_idx(1)
        if region.kind in (RegionKind.POLYGON, RegionKind.MASK):
            self._session.add_mask_inputs(place, 0, self._mask_input(region, image))
        else:
            self._session.add_point_inputs(place, 0, self._point_inputs(region, image))
        self._session.obj_with_new_inputs = [1]
        self.newest = self._run(image)

    def step(self, image: EncodedImage) -> ObjectMask:
        """Where the object is in the next image."""
        self._index += 1
        self.newest = self._run(image)
        return self.newest

    @torch.inference_mode()
    def _run(self, image: EncodedImage) -> ObjectMask:
        session = self._session
        session.cache.cache_vision_features(self._index, image.features)
        no_pixels = torch.empty(0, device=self._network.model.device)  # the features are there already
        output = self._network.model(inference_session=session, frame=no_pixels, frame_idx=self._index)
        self._forget()
        logits = np.array(output.pred_masks[0, 0].float().cpu().numpy())
        score = float(torch.sigmoid(output.object_score_logits.float()).reshape(-1)[0])
        if not score >= 0.5:
            logits = np.minimum(logits, -1)
        return ObjectMask(logits, image.width, image.height, score)

    def _forget(self) -> None:
        """Drop what no later image needs: the network looks back at some memories and at some more object pointers."""
        session, config = self._session, self._network.model.config
        session.processed_frames.clear()
        session.cache.clear_all()
        session.frames_tracked_per_obj[0].clear()
        (outputs,) = session.output_dict_per_obj.values()
        recent = outputs["non_cond_frame_outputs"]
        for output in (outputs["cond_frame_outputs"].get(self._index), recent.get(self._index)):
            _drop(output, "high_res_masks", "pred_masks")
        _drop(recent.get(self._index - config.num_maskmem + 1), "maskmem_features", "maskmem_pos_enc")
        recent.pop(self._index - config.max_object_pointers_in_encoder + 1, None)

    def _point_inputs(self, region: Region, image: EncodedImage) -> dict[str, torch.Tensor]:
        points = region.points * self._network.side / [image.width, image.height]
        is_box = region.kind is RegionKind.BOX
        labels = [FIRST_CORNER, LAST_CORNER] if is_box else [CLICK] * len(points)
        return {
            "point_coords": torch.tensor(points, dtype=self._network.model.dtype)[None, None],  # (1, 1, N, 2)
            "point_labels": torch.tensor(labels, dtype=torch.int32)[None, None],  # (1, 1, N)
        }

    def _mask_input(self, region: Region, image: EncodedImage) -> torch.Tensor:
        pixels = region.binary_mask(image.width, image.height).astype(np.float32)
        side = (self._network.side, self._network.side)
        square = cv2.resize(pixels, side, interpolation=cv2.INTER_LINEAR) >= 0.5
        return torch.from_numpy(square)[None, None]  # (1, 1, S, S)


def check_kind(config: Mapping[str, Any], where: str) -> str:
    """The model_type of a config.json, a key of CLASSES. `where`: what a person knows it by.

    Raises:
        ModelError: it is of another type, or of an image encoder whose package is missing.
    """
    kind = config.get("model_type")
    if not isinstance(kind, str) or kind not in CLASSES:
        raise ModelError(f"{where} holds a model of type {quoted(kind)}; give one of {', '.join(CLASSES)}")
    vision = config.get("vision_config")
    backbone = vision.get("backbone_config") if isinstance(vision, dict) else None
    needs_timm = isinstance(backbone, dict) and backbone.get("model_type") == "timm_wrapper"
    if needs_timm and importlib.util.find_spec("timm") is None:
        raise ModelError(f"the image encoder of {where} is one of timm, which is not here; run: pip install timm")
    return kind


def _drop(output: dict[str, Any] | None, *keys: str) -> None:
    for key in keys:
        if output is not None:
            output.pop(key, None)
