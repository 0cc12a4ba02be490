"""The questions of one camera that the model has not answered yet."""

import itertools
import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace

from vitron_ros.boxes import Boxes
from vitron_ros.frame import Frame
from vitron_ros.grounding.request import ModelRequest, Roi, Task

Subject = tuple[str, str]  # ("goal", its id) or ("track", its id)


@dataclass(slots=True, eq=False)
class PendingRequest:
    """An open question.

    Attributes:
        asked_ns: stamp of the newest frame with which it was first asked.
        withdrawn: the pipeline sets it, the model's thread asks. An object of its own, since a request that knew its
            pending_request would keep its clip alive until Python's collector of cycles comes by, minutes later.
    """

    subject: Subject
    request: ModelRequest
    asked_ns: int
    withdrawn: threading.Event


class PendingRequests:
    """At most one open question a subject; with each keyframe those that still wait for the model get a newer clip.

    Args:
        name: makes the ids of requests unique among cameras and activations.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._numbers = itertools.count(1)
        self._open: dict[Subject, PendingRequest] = {}

    def __len__(self) -> int:
        return len(self._open)

    def oldest_ns(self) -> int | None:
        """Stamp of the oldest frame from which a reply may have to be carried on; None: no question is open."""
        return min((pending_request.asked_ns for pending_request in self._open.values()), default=None)

    def is_open(self, subject: Subject) -> bool:
        return subject in self._open

    def ask(
        self,
        subject: Subject,
        task: Task,
        clip: tuple[Frame, ...],
        *,
        text: str = "",
        newest: int = 0,
        wants_candidates: bool = False,
        is_placed: bool = True,
        box_xyxy: Boxes | None = None,
        roi_xyxy: Roi | None = None,
    ) -> ModelRequest:
        """A new question, or the subject's open one with a newer clip."""
        asked = ModelRequest(
            id=f"{self._name}{' '.join(subject)} #{next(self._numbers)}",
            task=task,
            frames=clip,
            text=text,
            newest=newest,
            wants_candidates=wants_candidates,
            is_placed=is_placed,
            box_xyxy=box_xyxy,
            roi_xyxy=roi_xyxy,
        )
        known = self._open.get(subject)
        if known is not None and known.request.task is task:
            known.request = replace(asked, id=known.request.id, is_cancelled=known.withdrawn.is_set)
            return known.request
        self.withdraw(subject)
        withdrawn = threading.Event()
        request = replace(asked, is_cancelled=withdrawn.is_set)
        self._open[subject] = PendingRequest(subject, request, clip[-1].stamp_ns, withdrawn)
        return request

    def close(self, request_id: str) -> Subject | None:
        """The subject whose question has been answered; None if nobody waits for it any more."""
        for subject, pending_request in self._open.items():
            if pending_request.request.id == request_id:
                del self._open[subject]
                return subject
        return None

    def withdraw(self, subject: Subject) -> None:
        """Nobody wants to know any more. Nothing happens if there is no such question."""
        pending_request = self._open.pop(subject, None)
        if pending_request is not None:
            pending_request.withdrawn.set()

    def withdraw_all(self) -> None:
        for subject in list(self._open):
            self.withdraw(subject)


class RoundRobin:
    """Whose turn it is to be verified: the least sure of those that were not asked about in this round."""

    def __init__(self) -> None:
        self._asked: set[int] = set()

    def next(self, scores: Iterable[tuple[int, float]]) -> list[int]:
        """The ids in the order in which they should be asked about; all of them again when the round is over."""
        ordered = [track_id for track_id, _ in sorted(scores, key=lambda item: (item[1], item[0]))]
        waiting = [track_id for track_id in ordered if track_id not in self._asked]
        if not waiting:
            self._asked.clear()
        return waiting or ordered

    def ask(self, track_id: int) -> None:
        self._asked.add(track_id)
