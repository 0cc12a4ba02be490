"""The soak: its rule on made-up samples, and one short run over DDS."""

from collections import Counter
from dataclasses import replace

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("vitron_msgs", reason="vitron_msgs is not installed")

from vitron_ros.ros_tools.soak import soak
from vitron_ros.ros_tools.soak.report import SoakSample, broken_rules, growth, page, settled

STEADY = SoakSample(
    at_s=0.0,
    at_rest=False,
    cpu_s=0.0,
    resident_mb=300.0,
    heap_mb=100.0,
    threads=12,
    files=40,
    shared=6,
    sent=30,
    published=29,
    dropped=1,
    load_shedding=0,
    ages_ns=(20_000_000, 30_000_000),
    goals_open=0,
)
MINUTES = 10


def run_of(**per_minute):
    """Samples every 2 s for ten minutes, every tenth at rest; attributes grow by so much a minute."""
    samples = []
    for number in range(30 * MINUTES + 1):
        grown = {name: getattr(STEADY, name) + rate * number / 30 for name, rate in per_minute.items()}
        samples.append(replace(STEADY, at_s=2.0 * number, cpu_s=1.0 * number, at_rest=number % 10 == 0, **grown))
    return samples


def test_a_run_in_which_nothing_grows_is_clean():
    assert broken_rules(run_of(), []) == []


@pytest.mark.parametrize(
    ("name", "rate", "said"),
    [
        ("heap_mb", 1.1, "1.10 MB of heap more per minute, the limit is 1"),
        ("threads", 0.5, "0.50 threads more"),
        ("files", 1.0, "1.00 open files more"),
        ("shared", 0.5, "0.50 mapped files of /dev/shm more"),
    ],
)
def test_what_grows_by_more_than_its_limit_breaks_the_rule(name, rate, said):
    (broken,) = broken_rules(run_of(**{name: rate}), [])
    assert broken.startswith(said)


@pytest.mark.parametrize(
    ("name", "rate"), [("heap_mb", 0.9), ("heap_mb", -5.0), ("threads", 0.2), ("resident_mb", 9.0)]
)
def test_what_grows_by_less_or_is_not_the_nodes_own_does_not(name, rate):
    assert broken_rules(run_of(**{name: rate}), []) == []


def test_growth_is_the_slope_by_the_minute():
    assert growth(run_of(heap_mb=-2.5), "heap_mb") == pytest.approx(-2.5)


def test_the_warm_up_and_what_happens_within_a_round_do_not_count():
    """A model's caches fill in the first rounds; kept images come and go with their size."""
    samples = [
        replace(sample, heap_mb=50.0 + sample.at_s if sample.at_s < 120 else 180.0 + 40.0 * (not sample.at_rest))
        for sample in run_of()
    ]
    assert {sample.heap_mb for sample in settled(samples)} == {180.0}
    assert broken_rules(samples, []) == []


def test_problems_of_the_run_and_too_few_samples_break_the_rule():
    assert broken_rules(run_of(), ["'a box' ended with TIMEOUT"]) == ["'a box' ended with TIMEOUT"]
    assert broken_rules([], ["it stopped early"])[0] == "it stopped early"
    for samples in ([], run_of()[:20]):
        assert "too few to see growth" in broken_rules(samples, [])[-1]


def test_the_page_tells_what_was_done_and_found():
    outcomes = Counter({("a box", "CANCELED"): 3, ("a box", "OVERLOADED"): 1, ("a prompt", "CANCELED"): 2})
    samples = run_of(heap_mb=0.5)
    heap = ", ".join(f"{100 + number / 6:.0f}" for number in range(31))
    text = page("vitron bench soak --minutes 10", "Two cores", samples, outcomes, broken_rules(samples, []))
    for line in (
        "    vitron bench soak --minutes 10",
        "|  | first minute | middle minute | last minute |",
        "| images sent per second | 15.0 | 15.0 | 15.0 |",
        "| heap MB, maximum | 100 | 103 | 105 |",
        "| images dropped | 30 | 30 | 30 |",
        "| latency p50, p95, p99 ms | 25, 30, 30 | 25, 30, 30 | 25, 30, 30 |",
        "| CPU % | 50 | 50 | 50 |",
        "| MB of heap | 101 | 105 | +0.50 | 1 |",
        f"MB of heap at rest by round, including the warm-up: {heap}.",
        "| a box | CANCELED 3, OVERLOADED 1 |",
        "Total: CANCELED 5, OVERLOADED 1.",
        "**Passed: no leak.**",
    ):
        assert line in text.splitlines(), line


def test_the_page_of_a_leak_says_what_is_broken():
    samples = run_of(threads=1.0)
    text = page("vitron bench soak", "Two cores", samples, Counter(), broken_rules(samples, []))
    assert text.splitlines()[-1] == "**Failed.** 1.00 threads more per minute, the limit is 0.25."


def test_a_run_that_was_too_short_has_a_page_all_the_same():
    samples = [replace(sample, at_s=at_s) for sample, at_s in zip(run_of()[:2], (5.0, 6.0), strict=True)]
    lines = page("vitron bench soak", "Two cores", samples, Counter(), []).splitlines()
    assert "| heap MB, maximum | 100 | 100 | 100 |" in lines
    assert "| images sent per second | nan | nan | 30.0 |" in lines


def test_a_run_that_never_began_has_a_page_all_the_same():
    assert "**Failed.**" in page("vitron bench soak", "Two cores", [], Counter(), broken_rules([], []))


@pytest.mark.ros
@pytest.mark.slow
def test_a_short_soak_sees_the_node_from_outside_and_writes_its_report(tmp_path):
    report = tmp_path / "soak.md"
    soak.run(0.1, report, [soak.boxes, soak.resize, soak.leave])
    text = report.read_text()
    for line in (
        "| four boxes, cancelled | CANCELED ",
        "| a box while the image changes size | LOST ",
        "| a box and a deactivation | SHUTDOWN ",
        "| a box while inactive | REFUSED ",
    ):
        assert line in text
    assert "ended with" not in text
    assert "stopped early" not in text
    assert "left in /dev/shm" not in text
