"""The suites of `vitron eval run`: a data set, what is asked of it, and where the papers print figures for it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from vitron_ros.errors import ConfigError
from vitron_ros.evaluation.datasets import FOLDERS, IMAGE_QUESTIONS, REFERRING, TRACKING, VIDEO_QUESTIONS
from vitron_ros.evaluation.datasets.catalogue import Dataset
from vitron_ros.evaluation.paper import PaperTable, paper_tables
from vitron_ros.evaluation.tasks.answers import ImageAnswers, VideoAnswers
from vitron_ros.evaluation.tasks.found_boxes import AnyBoxes, OneBox, RankedBoxes
from vitron_ros.evaluation.tasks.single_object import GOT10K, FromPhrase, OnePass
from vitron_ros.evaluation.tasks.task import SuiteTask


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """One benchmark.

    Attributes:
        dataset: its records are what the task takes.
        paper: the benchmark's name in the papers' tables; empty: they print nothing for it.
        splits: our split -> that of the tables; a split that is not here has no figures there.
    """

    name: str
    dataset: Dataset[Any]
    task: SuiteTask[Any]
    paper: str = ""
    splits: Mapping[str, str] = field(default_factory=dict)

    def split(self, name: str | None) -> str:
        """The split of that name; None: the one that is evaluated by default.

        Raises:
            ConfigError: the data set has no such split.
        """
        if name is not None and name not in self.dataset.splits:
            raise ConfigError(f"{self.name} has no split {name!r}; it has {', '.join(self.dataset.splits)}")
        return name or self.dataset.splits[0]

    def paper_tables(self, split: str) -> list[PaperTable]:
        """The papers' tables for a split, with the metrics that stand beside the task's figures."""
        if split not in self.splits:
            return []
        return paper_tables(self.paper, self.splits[split], self.task.paper_metrics)


ANY_SET = ("visible-frames", "pytracking-otb", "got10k-lasot")
CLAMPED = "elysium-released clamps boxes to 1..100 px: NOT COMPARABLE with any other variant."
TRACKERS = (
    Suite(name="boxes", dataset=FOLDERS, task=OnePass(ANY_SET)),
    Suite(
        name="davis-sot",
        dataset=TRACKING["davis-sot"],
        task=OnePass(ANY_SET, ("Boxes are the tight ones around DAVIS's masks; DAVIS itself scores masks.",)),
    ),
    Suite(
        name="lasot",
        dataset=TRACKING["lasot"],
        task=OnePass(("pytracking-lasot", "lasot-toolkit", "got10k-lasot")),
        paper="lasot",
        splits={"test": "test"},
    ),
    Suite(
        name="uav123",
        dataset=TRACKING["uav123"],
        task=OnePass(("pytracking-uav", "got10k-lasot", "visible-frames")),
        paper="uav123",
        splits={"UAV123": "all"},
    ),
    Suite(
        name="elysium-track",
        dataset=TRACKING["elysium-track"],
        task=OnePass(("visible-frames", "pytracking-otb", "elysium-released"), (CLAMPED,)),
        paper="elysiumtrack-val500-sot",
        splits={"val500": "val500"},
    ),
    Suite(
        name="elysium-track-rsot",
        dataset=TRACKING["elysium-track"],
        task=FromPhrase(("visible-frames", "elysium-released"), (CLAMPED,)),
        paper="elysiumtrack-val500-rsot",
        splits={"val500": "val500"},
    ),
    Suite(name="rsot", dataset=FOLDERS, task=FromPhrase(("visible-frames",))),
    Suite(name="otb", dataset=TRACKING["otb"], task=OnePass(("pytracking-otb", "got10k-lasot", "visible-frames"))),
    Suite(name="got10k", dataset=TRACKING["got10k"], task=OnePass(("visible-frames", GOT10K))),
    Suite(name="trackingnet", dataset=TRACKING["trackingnet"], task=OnePass(("trackingnet", "visible-frames"))),
    Suite(
        name="vot",
        dataset=TRACKING["vot"],
        task=OnePass(ANY_SET, ("VOT's own measures restart a tracker that failed; they are not computed.",)),
    ),
)
REFCOCO = ("refcoco", "refcoco+", "refcocog", "refcoco-google", "refcocog-google")
PRINTED = ("refcoco", "refcoco+", "refcocog")  # in the papers, which do not say which RefCOCOg


def _refcoco(suffix: str, task: SuiteTask[Any]) -> Iterator[Suite]:
    for name in REFCOCO:
        dataset = REFERRING[name]
        splits = {split: split for split in dataset.splits if name in PRINTED}
        yield Suite(name=name + suffix, dataset=dataset, task=task, paper=name, splits=splits)


FOUND_BOXES = (
    *_refcoco("", OneBox()),
    Suite(name="grefcoco", dataset=REFERRING["grefcoco"], task=AnyBoxes()),
    Suite(name="flickr30k", dataset=REFERRING["flickr30k"], task=RankedBoxes()),
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
ANSWERS = (
    *(
        Suite(
            name=name,
            dataset=IMAGE_QUESTIONS[name],
            task=task,
            paper=name,
            splits={IMAGE_QUESTIONS[name].splits[0]: "not_stated"},
        )
        for name, task in QUESTION_TASKS.items()
    ),
    *(
        Suite(
            name=name,
            dataset=dataset,
            task=VideoAnswers(),
            paper="tgif-qa" if name == "tgif-frameqa" else name,
            splits={"test": "test"},
        )
        for name, dataset in VIDEO_QUESTIONS.items()
    ),
)
SUITES = {suite.name: suite for suite in (*TRACKERS, *FOUND_BOXES, *ANSWERS)}


def find_suite(name: str) -> Suite:
    """Raises ConfigError, which lists the names, if there is none of that name."""
    if name not in SUITES:
        raise ConfigError(f"there is no suite {name!r}; choose one of {', '.join(SUITES)}")
    return SUITES[name]
