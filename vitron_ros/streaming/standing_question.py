"""When a standing question is asked again. Which answers are told: see `answer_debouncer`."""

from dataclasses import replace

from vitron_ros.frame import Frame
from vitron_ros.grounding.request import ModelRequest
from vitron_ros.streaming.answer_debouncer import AnswerDebouncer


class StandingQuestion:
    """One question that is asked with every new keyframe, until its time is over.

    `accept` is called by the camera's thread, all else by the one of the goals.

    Args:
        request: without frames.
        tries: replies in a row that may fail before the question does.
        duration_ns: how long it stands; 0: until it is ended.
        now_ns: by the clock that `is_over` is given.

    Attributes:
        answers: what it has been answered.
    """

    def __init__(self, request: ModelRequest, *, tries: int, duration_ns: int, now_ns: int) -> None:
        self.answers = AnswerDebouncer(tries)
        self._request = request
        self._duration_ns = duration_ns
        self._ends_ns = now_ns + duration_ns
        self._times = 0
        self._is_asked = False
        self._newest: Frame | None = None

    def is_over(self, now_ns: int) -> bool:
        """Whether it has stood long enough. The clock may begin anew, as with a bag that loops."""
        self._ends_ns = min(self._ends_ns, now_ns + self._duration_ns)
        return self._duration_ns > 0 and now_ns >= self._ends_ns

    def next_request(self) -> ModelRequest | None:
        """What to ask now; None while an answer is awaited."""
        if self._is_asked:
            return None
        self._is_asked, self._times = True, self._times + 1
        return replace(self._request, id=f"{self._request.id} {self._times}")

    def accept(self, newest: Frame | None) -> bool:
        """Whether to ask with this image as the newest.

        Not where there is none, since the question outlives a pause of its camera; and not with the image of the time
        before, with which the model would confirm its own mistake.
        """
        self._is_asked = newest is not None and newest is not self._newest
        if self._is_asked:
            self._newest = newest
        return self._is_asked

    def answered(self) -> None:
        """The answer has come, so that it may be asked again."""
        self._is_asked = False
