"""Readers of benchmarks in their official layouts, by name: `TRACKING["lasot"].read(root, "test")`.

Records are small and lazy: images and masks are decoded when they are asked for. A file of another length, NaN, a
missing sequence or image is a SourceError that names it, and how to get it; nothing is cut, padded or left out.
"""

from functools import partial
from pathlib import Path

from vitron_ros.errors import SourceError
from vitron_ros.evaluation.datasets.captions import (
    UCF101_SPLITS,
    Captioned,
    read_coco_captions,
    read_msrvtt,
    read_ucf101,
)
from vitron_ros.evaluation.datasets.catalogue import Dataset
from vitron_ros.evaluation.datasets.davis import read_davis, read_davis_boxes
from vitron_ros.evaluation.datasets.elysium_track import read_elysium_track
from vitron_ros.evaluation.datasets.expression import Expression
from vitron_ros.evaluation.datasets.flickr30k import read_flickr30k
from vitron_ros.evaluation.datasets.folders import box_file, load_folders, load_sequence
from vitron_ros.evaluation.datasets.got10k import read_got10k
from vitron_ros.evaluation.datasets.hc_stvg import FILES as HC_STVG_FILES
from vitron_ros.evaluation.datasets.hc_stvg import read_hc_stvg
from vitron_ros.evaluation.datasets.image_questions import (
    ICONQA_SPLITS,
    MEMES_SPLITS,
    VSR_SPLITS,
    read_gqa,
    read_hateful_memes,
    read_iconqa,
    read_ok_vqa,
    read_vizwiz,
    read_vsr,
)
from vitron_ros.evaluation.datasets.labels import LabelledVideo
from vitron_ros.evaluation.datasets.lasot import read_lasot
from vitron_ros.evaluation.datasets.magicbrush import Edit, read_magicbrush
from vitron_ros.evaluation.datasets.mot import MultiObjectSequence, read_dancetrack, read_mot
from vitron_ros.evaluation.datasets.otb import read_otb
from vitron_ros.evaluation.datasets.question import Question
from vitron_ros.evaluation.datasets.refcoco import read_refcoco
from vitron_ros.evaluation.datasets.sequence import Sequence
from vitron_ros.evaluation.datasets.trackingnet import SPLITS as TRACKINGNET_SPLITS
from vitron_ros.evaluation.datasets.trackingnet import read_trackingnet
from vitron_ros.evaluation.datasets.uav123 import read_uav123
from vitron_ros.evaluation.datasets.video_expression import VideoExpression
from vitron_ros.evaluation.datasets.video_questions import (
    TGIF_TASKS,
    read_activitynet_qa,
    read_msrvtt_qa,
    read_msvd_qa,
    read_tgif_qa,
)
from vitron_ros.evaluation.datasets.vidstg import read_vidstg
from vitron_ros.evaluation.datasets.vot import read_vot
from vitron_ros.evaluation.datasets.youtube_vos import read_youtube_vos

__all__ = [
    "CAPTIONS",
    "EDITING",
    "FOLDERS",
    "IMAGE_QUESTIONS",
    "MASKS",
    "MULTI_OBJECT",
    "REFERRING",
    "TRACKING",
    "VIDEO_QUESTIONS",
    "VIDEO_REFERRING",
    "Captioned",
    "Dataset",
    "Edit",
    "Expression",
    "LabelledVideo",
    "MultiObjectSequence",
    "Question",
    "Sequence",
    "VideoExpression",
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
    "youtube-vos": Dataset("YouTube-VOS 2019", ("valid", "train", "test"), read_youtube_vos),
}
MULTI_OBJECT: dict[str, Dataset[MultiObjectSequence]] = {
    "dancetrack": Dataset("DanceTrack", ("val", "train", "test"), read_dancetrack),
    "mot16": Dataset("MOT16", ("train", "test"), read_mot),
    "mot17": Dataset("MOT17", ("train", "test"), read_mot),
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
VIDEO_REFERRING: dict[str, Dataset[VideoExpression]] = {
    "vidstg": Dataset("VidSTG", ("test", "val", "train"), read_vidstg),
    "hc-stvg": Dataset("HC-STVG", tuple(HC_STVG_FILES), read_hc_stvg),
}
IMAGE_QUESTIONS: dict[str, Dataset[Question]] = {
    "ok-vqa": Dataset("OK-VQA", ("val2014", "train2014"), read_ok_vqa),
    "gqa": Dataset("GQA", ("testdev", "val"), read_gqa),
    "vsr": Dataset("VSR", VSR_SPLITS, read_vsr),
    "iconqa": Dataset("IconQA", ICONQA_SPLITS, read_iconqa),
    "vizwiz": Dataset("VizWiz", ("val", "test", "train"), read_vizwiz),
    "hateful-memes": Dataset("Hateful Memes", MEMES_SPLITS, read_hateful_memes),
}
VIDEO_QUESTIONS: dict[str, Dataset[Question]] = {
    "msvd-qa": Dataset("MSVD-QA", ("test", "val", "train"), read_msvd_qa),
    "msrvtt-qa": Dataset("MSRVTT-QA", ("test", "val", "train"), read_msrvtt_qa),
    "activitynet-qa": Dataset("ActivityNet-QA", ("test", "val", "train"), read_activitynet_qa),
    **{
        f"tgif-{task}": Dataset(f"TGIF-QA, {task}", ("test", "train"), partial(read_tgif_qa, task))
        for task in TGIF_TASKS
    },
}
CAPTIONS: dict[str, Dataset[Captioned]] = {
    "coco-captions": Dataset("COCO captions", ("val2014", "train2014", "val2017", "train2017"), read_coco_captions),
    "msrvtt": Dataset("MSR-VTT", ("test", "train", "validate"), read_msrvtt),
    "ucf101": Dataset("UCF101", UCF101_SPLITS, read_ucf101),
}
EDITING: dict[str, Dataset[Edit]] = {"magicbrush": Dataset("MagicBrush", ("test", "dev"), read_magicbrush)}
OFFICIAL = {"JPEGImages": "davis-sot", "data_seq": "uav123", "TEST": "trackingnet"}  # folder -> whose layout it is


def load_sequences(root: Path) -> list[Sequence]:
    """The sequences of a folder in the layout that it has: see `folders`, or that of DAVIS, UAV123 or TrackingNet.

    Raises:
        SourceError: there is none, one of them cannot be read, its target is not in the first frame, or a server keeps
            the truth.
    """
    name = next((name for folder, name in OFFICIAL.items() if (root / folder).is_dir()), None)
    sequences = load_folders(root) if name is None else TRACKING[name].read(root)
    if not all(sequence.has_truth for sequence in sequences):
        raise SourceError(f"{root} has the boxes of first frames only; a server keeps the truth of this split")
    return sequences


FOLDERS: Dataset[Sequence] = Dataset("sequences in a folder", ("all",), lambda root, split: load_sequences(root))
