"""The model's search for one of the things that a goal's prompt names."""

from dataclasses import dataclass

from vitron_ros.boxes import check_box
from vitron_ros.config import PipelineConfig
from vitron_ros.errors import ConfigError, RegionError
from vitron_ros.grounding.request import ModelReply, ModelRequest, ReplyStatus
from vitron_ros.streaming.fusion_decision import newest_shown
from vitron_ros.streaming.goals import Failure, Outcome
from vitron_ros.streaming.pending_requests import Subject
from vitron_ros.tracking.box_tracker import View
from vitron_ros.tracking.catch_up import CatchUp
from vitron_ros.tracking.track import Reason
from vitron_ros.tracking.track_manager import TrackManager


@dataclass(slots=True, eq=False)
class PhraseSearch:
    """The search for a phrase, from one reply of the model to the next.

    Attributes:
        name: unique among the searches of all goals.
        catch_up: where the model saw it, on its way to the newest image.
        is_asked: the model has been asked for it.
        is_over: it has led to a target, or was given up.
        answer: why there is no target yet, by the model's last reply; None: it has not answered yet.
        failures: of the model, in a row.
        doubts: of the model, in a row: replies of which nothing is made, in the hope of a better one.
        contradictions: times that something else was found, less those that nothing spoke against it, not below 0.
    """

    name: str
    phrase: str
    catch_up: CatchUp | None = None
    is_asked: bool = False
    is_over: bool = False
    answer: str | None = None
    failures: int = 0
    doubts: int = 0
    contradictions: int = 0

    @property
    def subject(self) -> Subject:
        return ("goal", self.name)

    def not_found(self, where: str) -> Failure:
        """It ends without a target. where: "within 5 s" and the like."""
        return Failure(Outcome.NOT_FOUND, Reason.NOT_SEEN, self.not_found_text(where))

    def not_found_text(self, where: str) -> str:
        why = f": {self.answer}" if self.answer else ""
        return f'"{self.phrase}" was not found {where}{why}'

    def receive(
        self, request: ModelRequest, reply: ModelReply, config: PipelineConfig, manager: TrackManager
    ) -> Failure | None:
        """Take a reply of the model: start a catch-up where it found the phrase; a failure ends the search."""
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
            problem = self._follow(request, reply, config, manager)
            if reply.is_contradicted or not self.contradictions:  # what something else looks like says the most
                self.answer = problem or self.answer or ""
        return None

    def _follow(self, request: ModelRequest, reply: ModelReply, config: PipelineConfig, manager: TrackManager) -> str:
        """Follow the model's box from its newest frame on; if that cannot be, why not.

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
        frame = request.frames[index]
        try:
            box = check_box(reply.boxes_xyxy[index], frame.width, frame.height)
        except RegionError as error:
            return str(error)
        if self.contradictions:
            self.contradictions -= 1
            return self.answer or ""
        try:
            self.catch_up = manager.start_catch_up(View(frame), box, frame.stamp_ns, score=reply.score)
        except ConfigError as error:
            return str(error)
        return ""
