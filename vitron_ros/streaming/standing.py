"""A question that stands: it is asked again and again, and its answer is told only when it has changed."""

import string

from vitron_ros.grounding.request import ModelReply, ReplyStatus

NEEDED = 2  # times in a row, before a new answer counts: one reply may be a slip
FAILURES = (ReplyStatus.FAILED, ReplyStatus.UNREADABLE, ReplyStatus.DEADLINE)
_NO_MARKS = str.maketrans("", "", string.punctuation)


class Standing:
    """Decides after each reply whether to speak or to stay silent. Single-threaded.

    Args:
        tries: replies in a row that may fail before the question does.

    Attributes:
        said: the answer that was told last; empty: none yet.
    """

    def __init__(self, tries: int) -> None:
        self.said = ""
        self._tries = tries
        self._failures = 0
        self._heard = ""
        self._times = 0

    def hear(self, reply: ModelReply) -> bool:
        """Whether to tell this reply's text: a new answer, given twice in a row."""
        if reply.status not in (ReplyStatus.OK, ReplyStatus.ABSENT):
            self._failures += reply.status in FAILURES
            return False
        self._failures = 0
        text = reply.text or reply.message
        self._times = self._times + 1 if _bare(text) == _bare(self._heard) else 1
        self._heard = text
        if self._times < NEEDED or (self.said and _bare(text) == _bare(self.said)):
            return False
        self.said = text
        return True

    def has_failed(self, reply: ModelReply) -> bool:
        """Whether there is no sense in asking again."""
        return reply.status in (ReplyStatus.UNKNOWN, ReplyStatus.REFUSED) or self._failures >= self._tries


def _bare(text: str) -> str:
    """Words alone: an answer is not another one for a full stop."""
    return " ".join(text.lower().translate(_NO_MARKS).split())
