from vitron_ros.streaming.frame_interval import PERIODS, FrameInterval


def pace_of(*times_ns):
    interval = FrameInterval()
    for time_ns in times_ns:
        interval.arrive(time_ns)
    return interval


def test_one_image_says_nothing_of_the_period():
    assert pace_of(5).period_ns == pace_of(5).silent_after_ns == 0


def test_a_pause_and_a_clock_set_back_do_not_change_the_period():
    interval = pace_of(0, 100, 200, 9000, 9100, 50, 150)
    assert (interval.period_ns, interval.silent_after_ns) == (100, 100 * PERIODS)
