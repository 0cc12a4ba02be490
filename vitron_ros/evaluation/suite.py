"""The suites of `vitron eval run`: a data set, what is predicted on it, and how that is scored."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from vitron_ros.errors import ConfigError, SourceError
from vitron_ros.evaluation import datasets


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """One benchmark of single-object tracking.

    Attributes:
        about: one line for a person.
        load: the sequences in a folder; raises SourceError.
        variants: names in `metrics.single_object.VARIANTS`; the first is the headline.
        is_got10k: AO and SR are reported, too.
        benchmark: its name in the papers' tables; None: they print nothing for it.
        protocol: in what the protocol here differs from the papers', in words.
    """

    name: str
    about: str
    load: Callable[[Path], Sequence[datasets.Sequence]]
    variants: tuple[str, ...]
    is_got10k: bool = False
    benchmark: str | None = None
    protocol: tuple[str, ...] = ()


FROM_BOX = "The tracker starts on the true box of the first frame and is never corrected."


def _davis(root: Path) -> Sequence[datasets.Sequence]:
    chosen = [sequence for sequence in datasets.load_sequences(root) if sequence.name.startswith("davis-")]
    if not chosen:
        raise SourceError(f"{root} holds no folder davis-NAME with frames/ and groundtruth.txt")
    return chosen


SUITES = {
    suite.name: suite
    for suite in (
        Suite(
            name="boxes",
            about="any folder of <name>/frames/ with <name>/groundtruth.txt",
            load=datasets.load_sequences,
            variants=("visible-frames", "pytracking-otb", "got10k-lasot"),
            protocol=(FROM_BOX,),
        ),
        Suite(
            name="davis-sot",
            about="the boxes of DAVIS's masks",
            load=_davis,
            variants=("visible-frames", "pytracking-otb", "got10k-lasot"),
            protocol=(FROM_BOX, "Boxes are the tight ones around DAVIS 2016's masks; DAVIS itself scores masks."),
        ),
    )
}


def find_suite(name: str) -> Suite:
    """Raises ConfigError, which lists the names, if there is none of that name."""
    if name not in SUITES:
        raise ConfigError(f"there is no suite {name!r}; choose one of {', '.join(SUITES)}")
    return SUITES[name]
