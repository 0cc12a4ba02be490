"""The model's search for one of the things that a goal's prompt names, or for several of its kind."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from vitron_ros.boxes import Boxes, check_box
from vitron_ros.config import PipelineConfig
from vitron_ros.errors import ConfigError, RegionError
from vitron_ros.frame import Frame
from vitron_ros.grounding.request import ModelReply, ModelRequest, ReplyStatus
from vitron_ros.streaming.fusion_decision import newest_shown
from vitron_ros.streaming.goals import Failure, Outcome
from vitron_ros.streaming.pending_requests import Subject
from vitron_ros.tracking.box_tracker import View
from vitron_ros.tracking.catch_up import CatchUp
from vitron_ros.tracking.track import Reason
from vitron_ros.tracking.track_manager import TrackManager

ScoredBox = tuple[Boxes, float]  # (4,) px and its score


@dataclass(frozen=True, slots=True, eq=False)
class Admission:
    """Which targets a search may add now.

    Attributes:
        room: so many at most.
        is_new: whether a candidate (4,) px is none that another search of its goal has found.
    """

    manager: TrackManager
    room: int
    is_new: Callable[[Boxes], bool]


@dataclass(slots=True, eq=False)
class PhraseSearch:
    """The search for a phrase, from one reply of the model to the next.

    Attributes:
        name: unique among the searches of all goals.
        count: of targets that are looked for; None: all that there are.
        catch_ups: where the model saw them, on their way to the newest image.
        track_ids: of its targets that have not ended.
        found: so many targets have been found.
        is_asked: the model has been asked for it.
        is_over: it has led to its targets, or was given up.
        answer: why there is no target yet, by the model's last reply; None: it has not answered yet.
        failures: of the model, in a row.
        doubts: of the model, in a row: replies of which nothing is made, in the hope of a better one.
        contradictions: times that something else was found, less those that nothing spoke against it, not below 0.
    """

    name: str
    phrase: str
    count: int | None = 1
    catch_ups: list[CatchUp] = field(default_factory=list)
    track_ids: list[int] = field(default_factory=list)
    found: int = 0
    is_asked: bool = False
    is_over: bool = False
    answer: str | None = None
    failures: int = 0
    doubts: int = 0
    contradictions: int = 0

    @property
    def subject(self) -> Subject:
        return ("goal", self.name)

    @property
    def is_for_many(self) -> bool:
        return self.count != 1

    @property
    def is_for_all(self) -> bool:
        return self.count is None

    @property
    def shortage(self) -> str:
        """How many of a number of targets there are, or are on their way, for a person; empty: all, or none."""
        found = self.found + len(self.catch_ups)
        is_short = self.count is not None and 0 < found < self.count
        return f'only {found} of {self.count} found for "{self.phrase}"' if is_short else ""

    def begin(self, track_id: int) -> None:
        """A target has been found."""
        self.track_ids.append(track_id)
        self.found += 1
        self.is_over = self.is_over or self.found == self.count

    def not_found(self, where: str) -> Failure:
        """It ends without a target, or with too few. where: "within 5 s" and the like."""
        return Failure(Outcome.NOT_FOUND, Reason.NOT_SEEN, self.not_found_text(where))

    def not_found_text(self, where: str) -> str:
        if self.shortage:
            return f"{self.shortage} {where}"
        why = f": {self.answer}" if self.answer else ""
        return f'"{self.phrase}" was not found {where}{why}'

    def receive(
        self,
        request: ModelRequest,
        reply: ModelReply,
        config: PipelineConfig,
        admission: Admission,
    ) -> Failure | None:
        """Take a reply of the model before anything was found: start catch-ups where it found the phrase; a failure
        ends the search."""
        message = reply.message or reply.text
        if reply.status in (ReplyStatus.UNKNOWN, ReplyStatus.REFUSED):
            text = message or f"the model does not understand {self.phrase!r}"
            return Failure(Outcome.NOT_UNDERSTOOD, Reason.NOT_UNDERSTOOD, text)
        if reply.status is ReplyStatus.DEADLINE:
            return Failure(Outcome.TIMEOUT, Reason.MODEL_ERROR, message or "the model did not answer in time")
        if reply.status in (ReplyStatus.FAILED, ReplyStatus.UNREADABLE):
            self.failures += 1
            if self.failures < config.model_tries:
                return None
            text = f"the model failed {self.failures} times in a row: {message}"
            return Failure(Outcome.MODEL_ERROR, Reason.MODEL_ERROR, text)
        if reply.status is not ReplyStatus.CANCELLED:
            self.failures = 0
            self.doubts = self.doubts + 1 if reply.status is ReplyStatus.UNSURE or reply.is_doubted else 0
            problem = self._follow(request, reply, config, admission)
            if reply.is_contradicted or not self.contradictions:  # what something else looks like says the most
                self.answer = problem or self.answer or ""
        return None

    def start(self, frame: Frame, boxes: Iterable[ScoredBox], admission: Admission) -> str:
        """Start catch-ups from boxes of a frame; if there is none, why not."""
        view, problem = View(frame), ""
        for box_xyxy, score in boxes:
            if len(self.catch_ups) == admission.room:
                break
            try:
                box = check_box(box_xyxy, frame.width, frame.height)
                self.catch_ups.append(admission.manager.start_catch_up(view, box, frame.stamp_ns, score=score))
            except (RegionError, ConfigError) as error:
                problem = str(error)
        return "" if self.catch_ups else problem

    def start_candidates(
        self, request: ModelRequest, reply: ModelReply, config: PipelineConfig, admission: Admission
    ) -> str:
        """As `start`, from the candidates that count and are new."""
        needed = reply.needed_score(config.model_min_score)
        pairs = zip(reply.candidates_xyxy, reply.candidate_scores.tolist(), strict=True)
        boxes = [(box, score) for box, score in pairs if score >= needed and admission.is_new(box)]
        return self.start(request.frames[-1], boxes, admission)

    def _follow(self, request: ModelRequest, reply: ModelReply, config: PipelineConfig, admission: Admission) -> str:
        """Follow the model's boxes from its newest frame on; if that cannot be, why not.

        What was found to be something else must be found as often without objection: of many tries one slips through.
        """
        if reply.is_contradicted:
            self.contradictions = min(self.contradictions + 1, config.model_tries)
        index = None if reply.boxes_xyxy is None else newest_shown(reply.boxes_xyxy)
        if reply.status is ReplyStatus.ABSENT or reply.boxes_xyxy is None or index is None:
            return reply.message or reply.text or "none"
        if 0 < self.doubts < config.model_tries:
            return reply.message or "what was found may be something else"
        if not reply.is_sure(config.model_min_score):
            needed = reply.needed_score(config.model_min_score)
            return f"the score {reply.score:.2f} is below model_min_score={needed:g}"
        if self.contradictions:
            self.contradictions -= 1
            return self.answer or ""
        if not self.is_for_many or not len(reply.candidates_xyxy):
            self.count = 1  # a model that gives no candidates names one target at most
            box = reply.boxes_xyxy[index], reply.score
            return self.start(request.frames[index], [box], replace(admission, room=1))
        return self.start_candidates(request, reply, config, admission)
