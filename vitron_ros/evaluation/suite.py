"""The suites of `vitron eval run`: a data set, what is asked of it, and where the papers print figures for it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from vitron_ros.errors import ConfigError
from vitron_ros.evaluation.datasets import (
    FOLDERS,
    IMAGE_QUESTIONS,
    MASKS,
    MULTI_OBJECT,
    REFERRING,
    TRACKING,
    VIDEO_QUESTIONS,
    VIDEO_REFERRING,
)
from vitron_ros.evaluation.datasets.catalogue import Dataset
from vitron_ros.evaluation.datasets.masked_sequences import load_masked_sequences
from vitron_ros.evaluation.metrics.single_object import ANY_SET
from vitron_ros.evaluation.paper import Printed
from vitron_ros.evaluation.tasks.answers import ImageAnswers, VideoAnswers
from vitron_ros.evaluation.tasks.bag_goals import BagGoals, not_from_here
from vitron_ros.evaluation.tasks.descriptions import (
    DescribedObject,
    Descriptions,
    described_in_clips,
    described_in_images,
)
from vitron_ros.evaluation.tasks.drawings import Drawings, make_prompts
from vitron_ros.evaluation.tasks.edits import Recolouring, Removal, recolouring_clips, removal_clips
from vitron_ros.evaluation.tasks.found_boxes import AnyBoxes, OneBox, RankedBoxes
from vitron_ros.evaluation.tasks.found_masks import FoundMask
from vitron_ros.evaluation.tasks.found_tubes import FoundTube
from vitron_ros.evaluation.tasks.many_objects import ManyObjects
from vitron_ros.evaluation.tasks.marked_masks import ClipMasks, ImageMasks
from vitron_ros.evaluation.tasks.sentences import Sentences, read_sentences
from vitron_ros.evaluation.tasks.single_object import GOT10K, FromPhrase, OnePass
from vitron_ros.evaluation.tasks.streams import Stream, stream_clips
from vitron_ros.evaluation.tasks.task import SuiteTask
from vitron_ros.evaluation.tasks.video_masks import DAVIS2017, YOUTUBE_VOS, VideoMasks


@dataclass(frozen=True, slots=True)
class Suite:
    """One benchmark.

    Attributes:
        dataset: its records are what the task takes.
        printed: where the papers print figures for it; None: they do not.
    """

    name: str
    dataset: Dataset[Any]
    task: SuiteTask[Any]
    printed: Printed | None = None

    def split(self, name: str | None) -> str:
        """The split of that name; None: the one that is evaluated by default.

        Raises:
            ConfigError: the data set has no such split.
        """
        if name is not None and name not in self.dataset.splits:
            raise ConfigError(f"{self.name} has no split {name!r}; it has {', '.join(self.dataset.splits)}")
        return name or self.dataset.splits[0]


def find_suite(name: str) -> Suite:
    """Raises ConfigError, which lists the names, if there is none of that name."""
    if name not in SUITES:
        raise ConfigError(f"there is no suite {name!r}; choose one of {', '.join(SUITES)}")
    return SUITES[name]


def _printed(benchmark: str, metrics: dict[str, str], **splits: str) -> Printed:
    return Printed(benchmark=benchmark, splits=splits, metrics=metrics)


CLAMPED = "elysium-released clamps boxes to 1..100 px: NOT COMPARABLE with any other variant."
FROM_MASKS = "Boxes are the tight ones around DAVIS's masks; DAVIS itself scores masks."
NO_RESTARTS = "VOT's own measures restart a tracker that failed; they are not computed."
OPE = {"auc": "auc", "p": "precision", "p_as_printed": "precision", "p_norm_as_printed": "norm_precision"}
TRACKERS = (
    Suite("boxes", FOLDERS, OnePass(ANY_SET)),
    Suite("davis-sot", TRACKING["davis-sot"], OnePass(ANY_SET, (FROM_MASKS,))),
    Suite(
        "lasot",
        TRACKING["lasot"],
        OnePass(("pytracking-lasot", "lasot-toolkit", "got10k-lasot")),
        _printed("lasot", OPE, test="test"),
    ),
    Suite(
        "uav123",
        TRACKING["uav123"],
        OnePass(("pytracking-uav", "got10k-lasot", "visible-frames")),
        _printed("uav123", OPE, UAV123="all"),
    ),
    Suite(
        "elysium-track",
        TRACKING["elysium-track"],
        OnePass(("visible-frames", "pytracking-otb", "elysium-released"), (CLAMPED,)),
        _printed("elysiumtrack-val500-sot", OPE, val500="val500"),
    ),
    Suite(
        "elysium-track-rsot",
        TRACKING["elysium-track"],
        FromPhrase(("visible-frames", "elysium-released"), (CLAMPED,)),
        _printed("elysiumtrack-val500-rsot", OPE, val500="val500"),
    ),
    Suite("rsot", FOLDERS, FromPhrase(("visible-frames",))),
    Suite("otb", TRACKING["otb"], OnePass(("pytracking-otb", "got10k-lasot", "visible-frames"))),
    Suite("got10k", TRACKING["got10k"], OnePass(("visible-frames", GOT10K))),
    Suite("trackingnet", TRACKING["trackingnet"], OnePass(("trackingnet", "visible-frames"))),
    Suite("vot", TRACKING["vot"], OnePass(ANY_SET, (NO_RESTARTS,))),
)

REFCOCO = ("refcoco", "refcoco+", "refcocog")
GOOGLE = ("refcoco-google", "refcocog-google")  # splits that the papers do not name


def _refcoco(name: str, task: SuiteTask[Any], metric: str, figure: str, suffix: str = "") -> Suite:
    dataset = REFERRING[name]
    splits = {split: split for split in dataset.splits if name in REFCOCO}
    return Suite(name + suffix, dataset, task, _printed(name, {metric: figure}, **splits))


FOUND = (
    *(_refcoco(name, OneBox(), "acc_iou50", "accuracy") for name in (*REFCOCO, *GOOGLE)),
    Suite("grefcoco", REFERRING["grefcoco"], AnyBoxes()),
    Suite("flickr30k", REFERRING["flickr30k"], RankedBoxes()),
    *(_refcoco(name, FoundMask(), "ciou", "ciou", "-masks") for name in (*REFCOCO, *GOOGLE)),
    Suite("grefcoco-masks", REFERRING["grefcoco"], FoundMask()),
)

CAPTIONS = {"meteor": "meteor", "cider": "cider"}


def _objects(dataset: Dataset[Any], describe: Callable[[list[Any]], list[DescribedObject]]) -> Dataset[DescribedObject]:
    return Dataset(dataset.title, dataset.splits, lambda root, split: describe(dataset.read(root, split)))


DESCRIBED = (
    Suite(
        "refcocog-captions",
        _objects(REFERRING["refcocog"], described_in_images),
        Descriptions(),
        _printed("refcocog", CAPTIONS, val="not_stated", test="not_stated"),
    ),
    Suite(
        "elysium-track-captions",
        _objects(TRACKING["elysium-track"], described_in_clips),
        Descriptions(),
        _printed("elysiumtrack-val500-videoreg", CAPTIONS, val500="val500"),
    ),
)

J_AND_F = {"j_and_f": "j_and_f", "j": "j", "f": "f"}
OTHER_SPLIT = "The paper's figures are of {}, whose truth a server keeps: never of the split of this run."
SEEN_AND_UNSEEN = {name: name for name in ("j_seen", "f_seen", "j_unseen", "f_unseen")}
MASK_VIDEOS = (
    Suite(
        "davis",
        MASKS["davis"],
        VideoMasks((DAVIS2017,), (OTHER_SPLIT.format("test-dev"),)),
        _printed("davis2017", J_AND_F, val="test-dev", train="test-dev"),
    ),
    Suite(
        "youtube-vos",
        MASKS["youtube-vos"],
        VideoMasks((YOUTUBE_VOS, DAVIS2017), (OTHER_SPLIT.format("valid"),)),
        _printed("youtube-vos-2019", SEEN_AND_UNSEEN, train="val"),
    ),
)
VIDEOS = (
    *(Suite(name, dataset, FoundTube()) for name, dataset in VIDEO_REFERRING.items()),
    *(Suite(name, dataset, ManyObjects()) for name, dataset in MULTI_OBJECT.items()),
)

SOFT, EXACT = ("vqa-official", "minigpt-v2-soft"), ("exact-match", "minigpt-v2")
QUESTION_TASKS = {
    "ok-vqa": ImageAnswers(SOFT),
    "gqa": ImageAnswers(EXACT),
    "vsr": ImageAnswers(EXACT, 'Is this true or false: "{text}"'),
    "iconqa": ImageAnswers(EXACT),
    "vizwiz": ImageAnswers(SOFT, '{text} Say "unanswerable" if the image does not show it.'),
    "hateful-memes": ImageAnswers(EXACT, 'Is this meme hateful? Its words are "{text}". Say yes or no.', "yes"),
}
JUDGED = {"judged_accuracy": "accuracy", "judged_score": "score"}
ANSWERS = (
    *(
        Suite(
            name,
            IMAGE_QUESTIONS[name],
            task,
            _printed(name, {"accuracy": "accuracy"}, **{IMAGE_QUESTIONS[name].splits[0]: "not_stated"}),
        )
        for name, task in QUESTION_TASKS.items()
    ),
    *(
        Suite(
            name,
            dataset,
            VideoAnswers(),
            _printed("tgif-qa" if name == "tgif-frameqa" else name, JUDGED, test="test"),
        )
        for name, dataset in VIDEO_QUESTIONS.items()
    ),
)
MASKED_FOLDERS = Dataset("sequences with masks in a folder", ("all",), lambda root, split: load_masked_sequences(root))
BAG = Suite("bag", Dataset("goals over a recording", ("all",), not_from_here), BagGoals())
OWN = (
    Suite("sentences", Dataset("sentences of a file", ("all",), read_sentences), Sentences()),
    Suite("stream", stream_clips(), Stream()),
    Suite("image-masks", MASKED_FOLDERS, ImageMasks()),
    Suite("clip-masks", MASKED_FOLDERS, ClipMasks()),
    Suite("removal", Dataset("clips whose background is known", ("all",), removal_clips), Removal()),
    Suite("recolouring", Dataset("clips with masks", ("all",), recolouring_clips), Recolouring()),
    Suite("drawn-prompts", Dataset("prompts of drawn plans", ("all",), make_prompts, is_made=True), Drawings()),
    BAG,
)
SUITES = {suite.name: suite for suite in (*TRACKERS, *FOUND, *DESCRIBED, *MASK_VIDEOS, *VIDEOS, *ANSWERS, *OWN)}
