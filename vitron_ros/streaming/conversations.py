"""What was said in the conversations of late, so that follow-ups keep their context."""

from collections import OrderedDict, deque

from vitron_ros.grounding.request import ConversationTurn

Key = tuple[str, str]  # camera, conversation id


class Conversations:
    """The turns of each conversation, oldest first, bounded in both; the conversation longest unused goes first.

    A conversation belongs to one camera, since the boxes of its turns do. Single-threaded.
    """

    def __init__(self, count: int, turns: int) -> None:
        self._count, self._turns = count, turns
        self._by_key: OrderedDict[Key, deque[ConversationTurn]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._by_key)

    def history(self, camera: str, conversation_id: str) -> tuple[ConversationTurn, ...]:
        """The earlier turns; none of a conversation that is new or was forgotten."""
        return tuple(self._by_key.get((camera, conversation_id), ()))

    def add(self, camera: str, conversation_id: str, exchange: ConversationTurn) -> None:
        key = (camera, conversation_id)
        self._by_key.setdefault(key, deque(maxlen=self._turns)).append(exchange)
        self._by_key.move_to_end(key)
        while len(self._by_key) > self._count:
            self._by_key.popitem(last=False)
