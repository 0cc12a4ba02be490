"""What a step of one camera's pipeline goes by."""

from dataclasses import dataclass

from vitron_ros.clock import SECOND_NS
from vitron_ros.config import PipelineConfig
from vitron_ros.frame import Frame
from vitron_ros.streaming.load_shedding import LoadSheddingLevel


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StepContext:
    """The newest image of a camera, the time and the settings. The pipeline makes one for each step.

    Attributes:
        frame: None: there is none yet, or it has been let go.
        image_ns: its time.
        arrived_ns: when it was stepped.
        now_ns: the time of this step, which may have no image of its own.
        period_ns: from one image to the next; 0: not known yet.
        problem: why the images that came since cannot be read; empty: none came.
    """

    config: PipelineConfig
    load_shedding: LoadSheddingLevel = LoadSheddingLevel.NOTHING
    frame: Frame | None = None
    image_ns: int = 0
    arrived_ns: int = 0
    now_ns: int = 0
    period_ns: int = 0
    problem: str = ""

    @property
    def period_s(self) -> float:
        return self.period_ns / SECOND_NS
