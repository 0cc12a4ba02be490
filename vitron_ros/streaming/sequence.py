"""What is missing in a stream whose senders number what they send."""

from collections.abc import Hashable

MAX_SENDERS = 64  # remembered: one that starts again is a new one


class SequenceGaps:
    """Finds the gaps in senders' numbers. What was sent before a sender was first heard does not count.

    Single-threaded.
    """

    def __init__(self) -> None:
        self._last: dict[Hashable, int] = {}

    def arrive(self, sender: Hashable, number: int) -> int:
        """How many of that sender's items were left out before this one."""
        last = self._last.pop(sender, None)
        self._last[sender] = number if last is None else max(last, number)  # the newest sender is the last of the dict
        if len(self._last) > MAX_SENDERS:
            del self._last[next(iter(self._last))]
        return 0 if last is None else max(0, number - last - 1)
