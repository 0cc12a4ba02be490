"""What `/diagnostics` says of each camera and of the model."""

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

from vitron_ros.config import PerceptionConfig
from vitron_ros.grounding.request import Status
from vitron_ros.streaming.model_worker import ModelSummary
from vitron_ros.streaming.statistics import StreamSummary

FAILURES = (Status.FAILED, Status.UNREADABLE, Status.DEADLINE)


def camera_status(
    node_name: str, camera: str, summary: StreamSummary, qos_problem: str, now_ns: int, config: PerceptionConfig
) -> DiagnosticStatus:
    """One status: ERROR for a QoS that can never match, STALE without images, WARN for bad ones or a slow machine."""
    age_s = (now_ns - summary.last_arrival_ns) / 1e9 if summary.last_arrival_ns else float("inf")
    if qos_problem:
        level, message = DiagnosticStatus.ERROR, qos_problem
    elif age_s > config.max_image_age:
        level, message = DiagnosticStatus.STALE, f"no image for longer than max_image_age={config.max_image_age:g} s"
    elif summary.bad:
        level, message = (
            DiagnosticStatus.WARN,
            f"{summary.bad} images could not be read, the last: {summary.last_error}",
        )
    elif summary.shed:
        level, message = DiagnosticStatus.WARN, f"the machine is too slow; left out: {summary.shed.text}"
    else:
        level, message = DiagnosticStatus.OK, f"{summary.rate_hz:.1f} images/s"
    return DiagnosticStatus(
        level=level,
        name=f"{node_name}: camera {camera}" if camera else f"{node_name}: camera",
        message=message,
        hardware_id="cpu",
        values=[KeyValue(key=key, value=value) for key, value in _values(summary, age_s).items()],
    )


def model_status(node_name: str, summary: ModelSummary, config: PerceptionConfig) -> DiagnosticStatus:
    """One status: ERROR while the model hangs, WARN if its last word was a failure."""
    failed = sum(summary.replies.get(status, 0) for status in FAILURES)
    if summary.busy_s > config.model_timeout:
        level, message = DiagnosticStatus.ERROR, f"no answer for {summary.busy_s:.1f} s; restart the node if it stays"
    elif summary.last_status in FAILURES:
        level, message = DiagnosticStatus.WARN, f"{failed} questions failed, the last word: {summary.last_message}"
    else:
        level, message = DiagnosticStatus.OK, f"{sum(summary.replies.values())} replies"
    values = {"model": config.model, "waiting": str(summary.waiting), "busy_s": f"{summary.busy_s:.3f}"}
    values |= _percentiles("latency_ms", summary.latency_ms) | _percentiles("batch_ms", summary.batch_ms)
    values |= {f"replies_{status.value}": str(summary.replies.get(status, 0)) for status in Status}
    return DiagnosticStatus(
        level=level,
        name=f"{node_name}: model",
        message=message,
        hardware_id=config.model_device,
        values=[KeyValue(key=key, value=value) for key, value in values.items()],
    )


def _percentiles(name: str, values: tuple[float, float, float]) -> dict[str, str]:
    return {f"{name}_{point}": f"{value:.2f}" for point, value in zip(("p50", "p95", "p99"), values, strict=True)}


def _values(summary: StreamSummary, age_s: float) -> dict[str, str]:
    values = {
        "received": str(summary.received),
        "processed": str(summary.processed),
        "dropped": str(summary.dropped),
        "bad": str(summary.bad),
        "late": str(summary.late),
        "shed": summary.shed.text,
        "rate_hz": f"{summary.rate_hz:.2f}",
        "image_age_s": f"{age_s:.3f}",
    }
    return values | _percentiles("latency_ms", summary.latency_ms) | _percentiles("step_ms", summary.step_ms)
