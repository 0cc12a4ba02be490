import threading

from vitron_ros.streaming.latest import Latest


def test_the_newest_item_wins_and_drops_are_counted():
    box = Latest()
    for item in (1, 2, 3):
        box.put(item)
    assert box.take(0) == 3
    assert (box.received, box.dropped) == (3, 2)


def test_what_was_lost_on_the_way_counts_from_the_item_that_came_after_it():
    box = Latest()
    box.put("a", lost=2)
    box.take(0)
    box.put("b")
    box.put("c", lost=3)
    assert (box.lost, box.missed_before) == (5, 2)
    box.take(0)
    assert box.missed_before == 6, "the five that were lost and b"


def test_an_item_is_taken_once():
    box = Latest()
    box.put("a")
    assert box.take(0) == "a"
    assert box.take(0) is None


def test_wake_ends_a_wait_without_an_item():
    box = Latest()
    taken = []
    waiter = threading.Thread(target=lambda: taken.append(box.take(60)))
    waiter.start()
    box.wake()
    waiter.join(10)
    assert not waiter.is_alive()
    assert taken == [None]


def test_nothing_is_lost_or_doubled_between_two_threads():
    box, taken = Latest(), []

    def consume():
        while not taken or taken[-1] != 4999:
            item = box.take(0.01)
            if item is not None:
                taken.append(item)

    consumer = threading.Thread(target=consume, daemon=True)
    consumer.start()
    for item in range(5000):
        box.put(item)
    consumer.join(30)
    assert not consumer.is_alive(), "the newest item always arrives"
    assert taken == sorted(set(taken)), "in order, none twice"
    assert len(taken) + box.dropped == box.received == 5000
