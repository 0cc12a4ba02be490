"""What waits for the model: one request of each id, the newest clip of it, questions of people first."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from vitron_ros.clock import SECOND_NS
from vitron_ros.grounding.replies import unanswered, withdrawn
from vitron_ros.grounding.request import ModelReply, ModelRequest, ReplyStatus, Task

Deliver = Callable[[ModelRequest, ModelReply], None]


@dataclass(slots=True, eq=False)
class Item:
    """A request, who takes its reply, and when its id was first asked for."""

    request: ModelRequest
    deliver: Deliver
    since_ns: int


GATHERING = 0.1  # of the time that the last batch took
MAX_GATHERING_NS = 100_000_000

Answered = tuple[Item, ModelReply]


def gathering_ns(batch_ns: int) -> int:
    """For how long a model that has just answered waits for others to ask: they go as one batch rather than in turn."""
    return min(round(GATHERING * batch_ns), MAX_GATHERING_NS)


class RequestQueue:
    """First come, first served, but for ASK, which goes first. Bounded by the number of ids that are open.

    Knows no thread and no clock. Whoever takes requests delivers the replies that `expire` and `finish` give back.
    """

    def __init__(self, timeout_ns: int) -> None:
        self._timeout_ns = timeout_ns
        self._waiting: dict[str, Item] = {}
        self._taken: dict[str, Item] = {}

    def __len__(self) -> int:
        """Requests that nobody has taken yet."""
        return len(self._waiting)

    def offer(self, request: ModelRequest, deliver: Deliver, now_ns: int) -> None:
        """A new request, or a newer clip of one: that keeps its place, and comes too late if it was taken already."""
        if request.id in self._taken:
            return
        known = self._waiting.get(request.id)
        since_ns = now_ns if known is None else known.since_ns
        self._waiting[request.id] = Item(replace(request, deadline_ns=since_ns + self._timeout_ns), deliver, since_ns)

    def take(self, count: int) -> list[Item]:
        """The next requests, at most so many."""
        chosen = sorted(self._waiting.values(), key=lambda item: item.request.task is not Task.ASK)[:count]
        for item in chosen:
            self._taken[item.request.id] = self._waiting.pop(item.request.id)
        return chosen

    def finish(self, items: list[Item], replies: list[ModelReply]) -> list[Answered]:
        """What is to be delivered of the replies to what was taken; not those that expired meanwhile."""
        pairs = zip(items, replies, strict=True)
        return [(item, reply) for item, reply in pairs if self._taken.pop(item.request.id, None) is item]

    def expire(self, now_ns: int) -> list[Answered]:
        """Replies to what was withdrawn before it was taken, and to all that is too old."""
        answered = []
        for items in (self._waiting, self._taken):
            for item in list(items.values()):
                if items is self._waiting and (refused := withdrawn(item.request)) is not None:
                    answered.append((item, refused))
                elif now_ns - item.since_ns > self._timeout_ns:
                    text = f"the model did not answer within model_timeout={self._timeout_ns / SECOND_NS:g} s"
                    answered.append((item, unanswered(item.request, ReplyStatus.DEADLINE, text)))
                else:
                    continue
                del items[item.request.id]
        return answered

    def clear(self) -> list[Answered]:
        """Withdraw everything."""
        items = [*self._waiting.values(), *self._taken.values()]
        self._waiting.clear()
        self._taken.clear()
        return [(item, unanswered(item.request, ReplyStatus.CANCELLED, "the model was stopped")) for item in items]
