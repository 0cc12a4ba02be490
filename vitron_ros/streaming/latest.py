"""A mailbox with one slot: the newest item wins."""

import threading
from typing import Generic, TypeVar

T = TypeVar("T")


class Latest(Generic[T]):
    """Hands the newest item from the thread that receives to the thread that works. Both sides may call at any time.

    An item that nobody took before the next one came is dropped and counted, so the slot never grows and the
    worker never sees an old image. So is what was lost before it came here, as far as the sender's numbers tell.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._item: T | None = None
        self._woken = False
        self._received = 0
        self._dropped = 0
        self._lost = 0
        self._missed_before = 0

    @property
    def received(self) -> int:
        """Items put so far."""
        return self._received

    @property
    def dropped(self) -> int:
        """Items replaced before they were taken."""
        return self._dropped

    @property
    def lost(self) -> int:
        """Items that were sent and never put."""
        return self._lost

    @property
    def missed_before(self) -> int:
        """Of the dropped and the lost, those that are older than the item that was taken last."""
        return self._missed_before

    @property
    def is_waiting(self) -> bool:
        """Whether there is an item that nobody has taken."""
        return self._item is not None

    def put(self, item: T, lost: int = 0) -> None:
        """The newest item. `lost`: that were sent since the one before it, and did not come."""
        with self._condition:
            self._received += 1
            self._lost += lost
            if self._item is not None:
                self._dropped += 1
            self._item = item
            self._condition.notify()

    def wake(self) -> None:
        """Let a waiting `take` return now, with or without an item."""
        with self._condition:
            self._woken = True
            self._condition.notify()

    def take(self, timeout_s: float) -> T | None:
        """The newest item not yet taken; None if none came in time or `wake` was called first."""
        with self._condition:
            self._condition.wait_for(lambda: self._item is not None or self._woken, timeout_s)
            item, self._item, self._woken = self._item, None, False
            if item is not None:
                self._missed_before = self._dropped + self._lost
            return item
