"""Readers of benchmarks in their official layouts, by name: `TRACKING["lasot"].read(root, "test")`.

Records are small and lazy: images and masks are decoded when they are asked for. A file of another length, NaN, a
missing sequence or image is a SourceError that names it, and how to get it; nothing is cut, padded or left out.
"""

from functools import partial
from pathlib import Path

from vitron_ros.evaluation.datasets.catalogue import Dataset
from vitron_ros.evaluation.datasets.davis import read_davis, read_davis_boxes
from vitron_ros.evaluation.datasets.elysium_track import read_elysium_track
from vitron_ros.evaluation.datasets.expression import Expression
from vitron_ros.evaluation.datasets.flickr30k import read_flickr30k
from vitron_ros.evaluation.datasets.folders import box_file, load_folders, load_sequence
from vitron_ros.evaluation.datasets.got10k import read_got10k
from vitron_ros.evaluation.datasets.labels import LabelledVideo
from vitron_ros.evaluation.datasets.lasot import read_lasot
from vitron_ros.evaluation.datasets.otb import read_otb
from vitron_ros.evaluation.datasets.refcoco import read_refcoco
from vitron_ros.evaluation.datasets.sequence import Sequence
from vitron_ros.evaluation.datasets.trackingnet import SPLITS as TRACKINGNET_SPLITS
from vitron_ros.evaluation.datasets.trackingnet import read_trackingnet
from vitron_ros.evaluation.datasets.uav123 import read_uav123
from vitron_ros.evaluation.datasets.vot import read_vot

__all__ = [
    "MASKS",
    "REFERRING",
    "TRACKING",
    "Dataset",
    "Expression",
    "LabelledVideo",
    "Sequence",
    "box_file",
    "load_sequence",
    "load_sequences",
]

TRACKING: dict[str, Dataset[Sequence]] = {
    "lasot": Dataset("LaSOT", ("test", "train", "all"), read_lasot),
    "uav123": Dataset("UAV123", ("UAV123", "UAV20L"), read_uav123),
    "elysium-track": Dataset("ElysiumTrack", ("val500",), read_elysium_track),
    "davis-sot": Dataset("boxes of DAVIS's masks", ("val", "train"), read_davis_boxes),
    "otb": Dataset("OTB", ("2015", "2013", "all"), read_otb),
    "got10k": Dataset("GOT-10k", ("val", "test", "train"), read_got10k),
    "vot": Dataset("VOT", ("all",), read_vot),
    "trackingnet": Dataset("TrackingNet", TRACKINGNET_SPLITS, read_trackingnet),
}
MASKS: dict[str, Dataset[LabelledVideo]] = {
    "davis": Dataset("DAVIS 2017", ("val", "test-dev", "test-challenge", "train"), read_davis),
}
_TEST_AB = ("val", "testA", "testB", "train")
REFERRING: dict[str, Dataset[Expression]] = {
    "refcoco": Dataset("RefCOCO", _TEST_AB, partial(read_refcoco, "refcoco", "unc")),
    "refcoco+": Dataset("RefCOCO+", _TEST_AB, partial(read_refcoco, "refcoco+", "unc")),
    "refcocog": Dataset("RefCOCOg (umd)", ("val", "test", "train"), partial(read_refcoco, "refcocog", "umd")),
    "refcoco-google": Dataset("RefCOCO (google)", ("val", "test", "train"), partial(read_refcoco, "refcoco", "google")),
    "refcocog-google": Dataset("RefCOCOg (google)", ("val", "train"), partial(read_refcoco, "refcocog", "google")),
    "grefcoco": Dataset("gRefCOCO", _TEST_AB, partial(read_refcoco, "grefcoco", "unc")),
    "flickr30k": Dataset("Flickr30k Entities", ("test", "val", "train"), read_flickr30k),
}
OFFICIAL = {"JPEGImages": "davis-sot", "data_seq": "uav123", "TEST": "trackingnet"}  # folder -> whose layout it is


def load_sequences(root: Path) -> list[Sequence]:
    """The sequences of a folder in the layout that it has: see `folders`, or that of DAVIS, UAV123 or TrackingNet.

    Raises:
        SourceError: there is none, one of them cannot be read, or its target is not in the first frame.
    """
    name = next((name for folder, name in OFFICIAL.items() if (root / folder).is_dir()), None)
    return load_folders(root) if name is None else TRACKING[name].read(root)
