"""The suites of `vitron eval run`: a data set, and how what is predicted on it is scored."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vitron_ros.errors import ConfigError
from vitron_ros.evaluation import datasets
from vitron_ros.evaluation.datasets import TRACKING

FROM_BOX = "The tracker starts on the true box of the first frame and is never corrected."
FROM_PHRASE = (
    "The pipeline is told the target's description and no box; a call of the model takes 0.2 s of a video of 25 images "
    "per second. Where no box is shown the last one counts, and before the first none."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """One benchmark of single-object tracking.

    Attributes:
        dataset: a name in `datasets.TRACKING`; None: a folder in any layout that is known.
        has_phrase: a model is told what the target is, in words, and no box.
        variants: names in `metrics.single_object.VARIANTS`; the first is the headline.
        is_got10k: AO and SR are reported, too.
        benchmark: name in the papers' tables of the first split; None: they print nothing for it.
        protocol: what is to be known beside the figures.
    """

    name: str
    dataset: str | None
    has_phrase: bool = False
    variants: tuple[str, ...]
    is_got10k: bool = False
    benchmark: str | None = None
    protocol: tuple[str, ...] = (FROM_BOX,)

    @property
    def about(self) -> str:
        """The data set's name in print."""
        return "sequences in a folder" if self.dataset is None else TRACKING[self.dataset].title

    def split(self, name: str | None) -> str:
        """The split of that name; None: the one that is evaluated by default.

        Raises:
            ConfigError: the data set has no such split.
        """
        splits = ("all",) if self.dataset is None else TRACKING[self.dataset].splits
        if name is not None and name not in splits:
            raise ConfigError(f"{self.name} has no split {name!r}; it has {', '.join(splits)}")
        return name or splits[0]

    def load(self, root: Path, split: str) -> Sequence[datasets.Sequence]:
        """The sequences of a split. Raises SourceError."""
        return datasets.load_sequences(root) if self.dataset is None else TRACKING[self.dataset].read(root, split)

    def benchmark_of(self, split: str) -> str | None:
        """The name in the papers' tables; None: they print nothing for that split."""
        return self.benchmark if split == self.split(None) else None


ANY_SET = ("visible-frames", "pytracking-otb", "got10k-lasot")
SUITES = {
    suite.name: suite
    for suite in (
        Suite(name="boxes", dataset=None, variants=ANY_SET),
        Suite(
            name="davis-sot",
            dataset="davis-sot",
            variants=ANY_SET,
            protocol=(FROM_BOX, "Boxes are the tight ones around DAVIS's masks; DAVIS itself scores masks."),
        ),
        Suite(
            name="lasot",
            dataset="lasot",
            variants=("pytracking-lasot", "lasot-toolkit", "got10k-lasot"),
            benchmark="lasot",
        ),
        Suite(
            name="uav123",
            dataset="uav123",
            variants=("pytracking-uav", "got10k-lasot", "visible-frames"),
            benchmark="uav123",
        ),
        Suite(
            name="elysium-track",
            dataset="elysium-track",
            variants=("visible-frames", "pytracking-otb", "elysium-released"),
            benchmark="elysiumtrack-val500-sot",
            protocol=(FROM_BOX, "elysium-released clamps boxes to 1..100 px: NOT COMPARABLE with any other variant."),
        ),
        Suite(
            name="elysium-track-rsot",
            dataset="elysium-track",
            has_phrase=True,
            variants=("visible-frames", "elysium-released"),
            benchmark="elysiumtrack-val500-rsot",
            protocol=(
                FROM_PHRASE,
                "elysium-released clamps boxes to 1..100 px: NOT COMPARABLE with any other variant.",
            ),
        ),
        Suite(name="rsot", dataset=None, has_phrase=True, variants=("visible-frames",), protocol=(FROM_PHRASE,)),
        Suite(name="otb", dataset="otb", variants=("pytracking-otb", "got10k-lasot", "visible-frames")),
        Suite(name="got10k", dataset="got10k", variants=("visible-frames",), is_got10k=True),
        Suite(name="trackingnet", dataset="trackingnet", variants=("trackingnet", "visible-frames")),
        Suite(
            name="vot",
            dataset="vot",
            variants=ANY_SET,
            protocol=(FROM_BOX, "VOT's own measures restart a tracker that failed; they are not computed."),
        ),
    )
}


def find_suite(name: str) -> Suite:
    """Raises ConfigError, which lists the names, if there is none of that name."""
    if name not in SUITES:
        raise ConfigError(f"there is no suite {name!r}; choose one of {', '.join(SUITES)}")
    return SUITES[name]
