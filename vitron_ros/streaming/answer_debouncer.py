"""The answers of a standing question, debounced: one is told when it has changed, and is no slip of the model."""

import string

from vitron_ros.grounding.request import ModelReply, ReplyStatus

NEEDED = 2  # times in a row, before a new answer counts: one reply may be a slip
FAILURES = (ReplyStatus.FAILED, ReplyStatus.UNREADABLE, ReplyStatus.DEADLINE)
_NO_MARKS = str.maketrans("", "", string.punctuation)


class AnswerDebouncer:
    """Decides after each reply whether there is a new answer. Single-threaded.

    Args:
        tries: replies in a row that may fail before the question does.

    Attributes:
        current: the newest answer; empty: none yet.
    """

    def __init__(self, tries: int) -> None:
        self.current = ""
        self._tries = tries
        self._failures = 0
        self._candidate = ""
        self._times = 0

    def update(self, reply: ModelReply) -> bool:
        """Whether this reply makes its text a new answer: given twice in a row, and not the one before."""
        if reply.status not in (ReplyStatus.OK, ReplyStatus.ABSENT):
            self._failures += reply.status in FAILURES
            return False
        self._failures = 0
        text = reply.text or reply.message
        self._times = self._times + 1 if _bare(text) == _bare(self._candidate) else 1
        self._candidate = text
        if self._times < NEEDED or (self.current and _bare(text) == _bare(self.current)):
            return False
        self.current = text
        return True

    def has_failed(self, reply: ModelReply) -> bool:
        """Whether there is no sense in asking again."""
        return (
            reply.status in (ReplyStatus.UNKNOWN, ReplyStatus.REFUSED, ReplyStatus.REJECTED)
            or self._failures >= self._tries
        )


def _bare(text: str) -> str:
    """Words alone: an answer is not another one for a full stop."""
    return " ".join(text.lower().translate(_NO_MARKS).split())
