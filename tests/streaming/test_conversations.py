import pytest

from vitron_ros.grounding.request import ConversationTurn
from vitron_ros.streaming.conversations import Conversations


def turn(text):
    return ConversationTurn(question=text, reply=f"re {text}")


def told(conversations, conversation_id, camera=""):
    return [exchange.question for exchange in conversations.history(camera, conversation_id)]


@pytest.mark.parametrize(("turns", "kept"), [(3, ["2", "3", "4"]), (1, ["4"]), (0, []), (9, ["0", "1", "2", "3", "4"])])
def test_the_last_turns_are_told_oldest_first(turns, kept):
    conversations = Conversations(4, turns)
    for number in range(5):
        conversations.add("", "a", turn(str(number)))
    assert told(conversations, "a") == kept


def test_the_conversation_longest_unused_goes_first():
    conversations = Conversations(2, 4)
    for name in ("a", "b", "a", "c"):
        conversations.add("", name, turn(name))
    assert [told(conversations, name) for name in "abc"] == [["a", "a"], [], ["c"]]
    assert len(conversations) == 2


def test_a_conversation_belongs_to_its_camera():
    conversations = Conversations(4, 4)
    conversations.add("left", "a", turn("x"))
    assert told(conversations, "a", "right") == []
    assert told(conversations, "a", "left") == ["x"]
