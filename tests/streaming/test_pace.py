from vitron_ros.streaming.pace import PERIODS, Pace


def pace_of(*times_ns):
    pace = Pace()
    for time_ns in times_ns:
        pace.arrive(time_ns)
    return pace


def test_one_image_says_nothing_of_the_period():
    assert pace_of(5).period_ns == pace_of(5).patience_ns == 0


def test_a_pause_and_a_clock_set_back_do_not_change_the_period():
    pace = pace_of(0, 100, 200, 9000, 9100, 50, 150)
    assert (pace.period_ns, pace.patience_ns) == (100, 100 * PERIODS)
