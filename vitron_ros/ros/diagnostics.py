"""What `/diagnostics` says of each camera and of the model."""

import math
from collections.abc import Callable

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

from vitron_ros.config import PerceptionConfig
from vitron_ros.geometry.localizer import PositionSummary
from vitron_ros.grounding.request import ReplyStatus
from vitron_ros.streaming.model_worker import ModelSummary
from vitron_ros.streaming.statistics import StreamSummary

FAILURES = (ReplyStatus.FAILED, ReplyStatus.UNREADABLE, ReplyStatus.DEADLINE)
MUCH = 0.1  # share of all images that is worth a warning when it is lost, or out of order
MANY = 10  # of them: a few are always lost when a stream begins
NO_POSITIONS = PositionSummary()
AHEAD_S = 0.5  # that clocks of machines which are kept together never differ by
MEND_CLOCK = "synchronise the clocks, or for a recording or a simulation set use_sim_time on every node"


def camera_status(
    node_name: str,
    camera: str,
    summary: StreamSummary,
    qos_problem: str,
    now_ns: int,
    config: PerceptionConfig,
    source_problem: Callable[[], str] = str,
    positions: PositionSummary = NO_POSITIONS,
    stopped_clock: str = "",
) -> DiagnosticStatus:
    """One status with all that is wrong: STALE without images, ERROR if their QoS can never match, else WARN.

    Args:
        node_name: with its namespace.
        stopped_clock: that the node's clock has stopped, by which no silence is seen; empty: it runs.
        source_problem: asked only of a silent camera: what is wrong with its topic; empty: nothing.
    """
    age_s = _since_s(summary.last_arrival_ns, now_ns)
    is_silent = age_s > summary.silent_after_s and not (stopped_clock and summary.processed)
    is_unread = summary.bad > 0 and _since_s(summary.last_bad_ns, now_ns) <= summary.silent_after_s
    problems = [qos_problem] if qos_problem else []
    problems += _problems(summary, stopped_clock or clock_problem(summary, now_ns, config.max_image_age))
    if positions.problem:
        problems.append(f"targets have no position in space: {positions.problem}")
    if qos_problem and is_silent:
        level, problems = DiagnosticStatus.ERROR, [qos_problem]
    elif is_silent and not is_unread:
        level, problems = (
            DiagnosticStatus.STALE,
            [text for text in (_silence(summary, config), source_problem(), *problems) if text],
        )
    else:
        level = DiagnosticStatus.WARN if problems else DiagnosticStatus.OK
    values = _values(summary, age_s)
    values |= {f"positions_{status.name.lower()}": str(count) for status, count in positions.counts.items()}
    return DiagnosticStatus(
        level=level,
        name=f"{_bare(node_name)}: camera {camera}".rstrip(),
        message="; ".join(problems) or _flow(summary.rate_hz),
        hardware_id=f"{_bare(node_name)}/{camera or 'camera'}",
        values=[KeyValue(key=key, value=value) for key, value in values.items()],
    )


def model_status(node_name: str, summary: ModelSummary, config: PerceptionConfig) -> DiagnosticStatus:
    """One status: ERROR while the model hangs, WARN if its last word was a failure. `node_name` as for a camera."""
    failed = sum(summary.replies.get(status, 0) for status in FAILURES)
    if summary.busy_s > config.model_timeout:
        level, message = DiagnosticStatus.ERROR, f"no answer for {summary.busy_s:.1f} s; restart the node if it stays"
    elif summary.last_status in FAILURES:
        level, message = DiagnosticStatus.WARN, f"{failed} questions failed, the last word: {summary.last_message}"
    else:
        level, message = DiagnosticStatus.OK, f"{sum(summary.replies.values())} replies"
    values = {"model": config.model, "waiting": str(summary.waiting), "busy_s": f"{summary.busy_s:.3f}"}
    values |= _percentiles("latency_ms", summary.latency_ms) | _percentiles("batch_ms", summary.batch_ms)
    values |= {f"replies_{status.value}": str(summary.replies.get(status, 0)) for status in ReplyStatus}
    return DiagnosticStatus(
        level=level,
        name=f"{_bare(node_name)}: model",
        message=message,
        hardware_id=f"{_bare(node_name)}/model on {config.model_device}",
        values=[KeyValue(key=key, value=value) for key, value in values.items()],
    )


def clock_problem(summary: StreamSummary, now_ns: int, max_age_s: float) -> str:
    """How far the camera's clock and the node's differ; empty: not by much, or the node's has not begun (0)."""
    if not now_ns:
        return ""
    if summary.clock_ahead_s > AHEAD_S:
        return f"the camera's clock is {_seconds(summary.clock_ahead_s)} ahead; {MEND_CLOCK}"
    if -summary.clock_ahead_s > max_age_s:
        behind = _seconds(-summary.clock_ahead_s)
        return f"the camera's clock is {behind} behind, or its images come so late; {MEND_CLOCK}"
    return ""


def _problems(summary: StreamSummary, clock: str) -> list[str]:
    """What is to be mended though images are processed, most important first."""
    sent = summary.received + summary.lost
    problems = []
    if summary.bad:
        problems.append(f"{summary.bad} images could not be read, the last: {summary.last_error}")
    if clock:
        problems.append(clock)
    if summary.lost > max(MANY, MUCH * sent):
        problems.append(
            f"{summary.lost} of {sent} images were lost on the way to the node; lower the camera's rate, or see "
            "docs/benchmarks/transport.md"
        )
    if summary.late > max(MANY, MUCH * summary.received):
        problems.append(f"{summary.late} images were older than the one before; has the topic two publishers?")
    if summary.load_shedding:
        problems.append(f"the machine is too slow; left out: {summary.load_shedding.text}")
    return problems


def _silence(summary: StreamSummary, config: PerceptionConfig) -> str:
    if summary.silent_after_s > config.max_image_age:
        return f"no image for longer than {summary.silent_after_s:.1f} s; until then {summary.rate_hz:.2f} images/s"
    return f"no image for longer than max_image_age={config.max_image_age:g} s"


def _flow(rate_hz: float) -> str:
    return "the first image has come" if math.isnan(rate_hz) else f"{rate_hz:.1f} images/s"


def _since_s(time_ns: int, now_ns: int) -> float:
    return (now_ns - time_ns) / 1e9 if time_ns else float("inf")


def _seconds(value: float) -> str:
    return f"{value:.0f} s" if value >= 10 else f"{value:.1f} s"


def _bare(node_name: str) -> str:
    """Without the slash in front, as names of diagnostics are written."""
    return node_name.lstrip("/")


def _percentiles(name: str, values: tuple[float, float, float]) -> dict[str, str]:
    return {f"{name}_{point}": f"{value:.2f}" for point, value in zip(("p50", "p95", "p99"), values, strict=True)}


def _values(summary: StreamSummary, age_s: float) -> dict[str, str]:
    values = {
        "received": str(summary.received),
        "processed": str(summary.processed),
        "dropped": str(summary.dropped),
        "lost": str(summary.lost),
        "bad": str(summary.bad),
        "late": str(summary.late),
        "load_shedding": summary.load_shedding.text,
        "rate_hz": f"{summary.rate_hz:.2f}",
        "image_age_s": f"{age_s:.3f}",
        "clock_ahead_s": f"{summary.clock_ahead_s:.3f}",
    }
    return values | _percentiles("latency_ms", summary.latency_ms) | _percentiles("step_ms", summary.step_ms)
