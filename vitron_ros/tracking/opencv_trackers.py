"""OpenCV's own trackers behind the `BoxTracker` protocol, to compare with and to choose from.

CSRT (Lukezic et al., CVPR 2017) and KCF (Henriques et al., TPAMI 2015) come with opencv-contrib. Nano and Vit are small
networks; their ONNX files are the user's (OpenCV model zoo).
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from vitron_ros.boxes import Boxes, ltwh_from_xyxy, xyxy_from_ltwh
from vitron_ros.errors import ConfigError
from vitron_ros.tracking.box_tracker import BoxEstimate, View

MODEL_ZOO = "https://github.com/opencv/opencv_zoo/tree/main/models"
CONTRIB = "its contrib modules"


class OpenCvTracker:
    """One of OpenCV's trackers. Where it reports failure the box stays where it was last seen, with a score of 0.

    The score of CSRT and KCF, which have none, is 1 or 0: their own verdict. Nano and Vit give their network's score,
    which OpenCV does not calibrate.
    """

    def __init__(self, create: Callable[[], Any], has_score: bool = False) -> None:
        """`create` makes a fresh cv2 tracker, since OpenCV's cannot be started twice; `has_score`: a network's own."""
        self._create = create
        # Every tracker of OpenCV 5 has getTrackingScore; that of CSRT and KCF is always 0.
        self._has_score = has_score
        self._tracker: Any = None
        self._box_xyxy = np.zeros(4)

    def start(self, view: View, box_xyxy: Boxes) -> None:
        """Raises ConfigError where OpenCV cannot read the tracker's model."""
        left, top, width, height = np.round(ltwh_from_xyxy(box_xyxy)).astype(int).tolist()
        try:
            self._tracker = self._create()
        except cv2.error as error:
            raise ConfigError(f"OpenCV cannot make the tracker; download its files again: {error.err}") from error
        self._tracker.init(view.bgr, (left, top, max(width, 1), max(height, 1)))
        self._box_xyxy = np.array(box_xyxy, np.float64)

    def step(self, view: View, *, redetect: bool = True) -> BoxEstimate:
        found, box_ltwh = self._tracker.update(view.bgr)
        if found:
            self._box_xyxy = xyxy_from_ltwh(box_ltwh)
        score = float(self._tracker.getTrackingScore()) if self._has_score else 1.0
        return BoxEstimate(self._box_xyxy, min(max(score, 0.0), 1.0) if found else 0.0)


def csrt() -> OpenCvTracker:
    """Raises ConfigError where OpenCV was built without its contrib modules."""
    return OpenCvTracker(_class("TrackerCSRT", CONTRIB).create)


def kcf() -> OpenCvTracker:
    """Raises ConfigError where OpenCV was built without its contrib modules."""
    return OpenCvTracker(_class("TrackerKCF", CONTRIB).create)


def nano(folder: Path) -> OpenCvTracker:
    """NanoTrack from its two model zoo files in `folder`. Raises ConfigError where one or the tracker is missing."""
    backbone = _model(folder / "nanotrack_backbone_sim.onnx", "object_tracking_nanotrack")
    head = _model(folder / "nanotrack_head_sim.onnx", "object_tracking_nanotrack")
    params = _class("TrackerNano_Params", "OpenCV 4.7 or later")()
    params.backbone, params.neckhead = backbone, head
    return OpenCvTracker(lambda: cv2.TrackerNano.create(params), has_score=True)


def vit(folder: Path) -> OpenCvTracker:
    """VitTrack from its file of the model zoo in `folder`. Raises ConfigError where it or the tracker is missing."""
    net = _model(folder / "object_tracking_vittrack_2023sep.onnx", "object_tracking_vittrack")
    params = _class("TrackerVit_Params", "OpenCV 4.9 or later")()
    params.net = net
    return OpenCvTracker(lambda: cv2.TrackerVit.create(params), has_score=True)


def _class(name: str, need: str) -> Any:
    found = getattr(cv2, name, None)
    if found is None:
        raise ConfigError(
            f"this OpenCV ({cv2.__version__}) has no {name}, which needs {need}: "
            "pip uninstall opencv-python opencv-python-headless && pip install opencv-contrib-python-headless"
        )
    return found


def _model(path: Path, entry: str) -> str:
    if not path.is_file():
        raise ConfigError(f"{path} is missing; download {path.name} from {MODEL_ZOO}/{entry}")
    return str(path)
