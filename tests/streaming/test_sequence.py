from vitron_ros.streaming.sequence import MAX_SENDERS, SequenceGaps


def gaps_of(*arrivals):
    gaps = SequenceGaps()
    return [gaps.arrive(sender, number) for sender, number in arrivals]


def test_a_gap_is_what_a_sender_sent_and_nobody_got():
    assert gaps_of(("a", 7), ("a", 8), ("a", 12)) == [0, 0, 3]


def test_each_sender_counts_for_itself():
    assert gaps_of(("a", 100), ("b", 3), ("a", 101), ("b", 5)) == [0, 0, 0, 1]


def test_what_comes_twice_or_late_is_no_gap():
    assert gaps_of(("a", 5), ("a", 5), ("a", 3), ("a", 6)) == [0, 0, 0, 0]


def test_senders_that_come_and_go_are_forgotten_and_one_that_stays_is_not():
    gaps = SequenceGaps()
    for number in range(1, 10 * MAX_SENDERS):
        assert gaps.arrive("stays", number) == gaps.arrive(number, 1) == 0
    assert gaps.arrive("stays", 10 * MAX_SENDERS + 1) == 1
