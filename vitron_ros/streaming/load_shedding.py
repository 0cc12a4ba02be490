"""What is left out while the machine is too slow, in a stated order, so that neither latency nor memory grows."""

from enum import IntEnum

from vitron_ros.clock import SECOND_NS
from vitron_ros.config import PipelineConfig

WINDOW_NS = SECOND_NS
TOO_BUSY = 0.9  # share of the time that a camera's worker works
AT_EASE = 0.6
PATIENCE_NS = 3 * SECOND_NS  # at ease, before something is taken up again
MAX_PATIENCE_NS = 60 * SECOND_NS
SPARING = 4  # times the period of the model's questions
MAX_PERIOD = 3600.0  # s


class LoadSheddingLevel(IntEnum):
    """The values of vitron_msgs/TrackArray.load_shedding: each step includes those before."""

    NOTHING = 0
    DEBUG_IMAGE = 1
    MODEL_RATE = 2
    MODEL_TARGETS = 3
    SEARCH = 4

    @property
    def text(self) -> str:
        """What is left out, for people."""
        names = [step.name.lower().replace("_", " ") for step in LoadSheddingLevel if 0 < step <= self]
        return ", ".join(names) or "nothing"


class LoadShedder:
    """Watches how busy one worker is and changes its `LoadSheddingLevel` a step at a time: down at once, up slowly.

    What was taken up too early makes it twice as patient. Single-threaded; time is an argument.
    """

    def __init__(self) -> None:
        self.load_shedding = LoadSheddingLevel.NOTHING
        self._began_ns: int | None = None
        self._busy_ns = 0
        self._at_ease_ns = 0
        self._patience_ns = PATIENCE_NS
        self._raised_ns: int | None = None

    def worked(self, now_ns: int, busy_ns: int) -> LoadSheddingLevel:
        """The worker has been at an image for `busy_ns` until now; what is to be left out from now on."""
        if self._began_ns is None or now_ns < self._began_ns:
            self._began_ns, self._busy_ns = now_ns, 0
            return self.load_shedding
        self._busy_ns += busy_ns
        elapsed_ns = now_ns - self._began_ns
        if elapsed_ns >= WINDOW_NS:
            self._judge(self._busy_ns / elapsed_ns, now_ns, elapsed_ns)
            self._began_ns, self._busy_ns = now_ns, 0
        return self.load_shedding

    def _judge(self, share: float, now_ns: int, elapsed_ns: int) -> None:
        self._at_ease_ns = self._at_ease_ns + elapsed_ns if share <= AT_EASE else 0
        if share >= TOO_BUSY and self.load_shedding < max(LoadSheddingLevel):
            if self._raised_ns is not None and now_ns - self._raised_ns < self._patience_ns:
                self._patience_ns = min(2 * self._patience_ns, MAX_PATIENCE_NS)
            self.load_shedding, self._raised_ns = LoadSheddingLevel(self.load_shedding + 1), None
        elif self._at_ease_ns >= self._patience_ns and self.load_shedding:
            self.load_shedding, self._raised_ns, self._at_ease_ns = LoadSheddingLevel(self.load_shedding - 1), now_ns, 0
        elif self._at_ease_ns >= MAX_PATIENCE_NS:
            self._patience_ns = PATIENCE_NS


def model_period(config: PipelineConfig, load_shedding: LoadSheddingLevel) -> float:
    """How often the model is asked about targets, s."""
    is_slowed = load_shedding >= LoadSheddingLevel.MODEL_RATE
    return min(SPARING * config.model_period, MAX_PERIOD) if is_slowed else config.model_period


def model_targets(config: PipelineConfig, load_shedding: LoadSheddingLevel) -> int:
    """About how many targets the model is asked each time."""
    return 1 if load_shedding >= LoadSheddingLevel.MODEL_TARGETS else config.model_targets
