"""What `/diagnostics` says of each camera."""

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

from vitron_ros.config import PerceptionConfig
from vitron_ros.streaming.statistics import StreamSummary


def camera_status(
    node_name: str, camera: str, summary: StreamSummary, qos_problem: str, now_ns: int, config: PerceptionConfig
) -> DiagnosticStatus:
    """One status: ERROR for a QoS that can never match, STALE without images, WARN for bad ones."""
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
    else:
        level, message = DiagnosticStatus.OK, f"{summary.rate_hz:.1f} images/s"
    return DiagnosticStatus(
        level=level,
        name=f"{node_name}: camera {camera}" if camera else f"{node_name}: camera",
        message=message,
        hardware_id="cpu",
        values=[KeyValue(key=key, value=value) for key, value in _values(summary, age_s).items()],
    )


def _values(summary: StreamSummary, age_s: float) -> dict[str, str]:
    values = {
        "received": str(summary.received),
        "processed": str(summary.processed),
        "dropped": str(summary.dropped),
        "bad": str(summary.bad),
        "late": str(summary.late),
        "rate_hz": f"{summary.rate_hz:.2f}",
        "image_age_s": f"{age_s:.3f}",
    }
    for name, percentiles in (("latency_ms", summary.latency_ms), ("step_ms", summary.step_ms)):
        for point, value in zip(("p50", "p95", "p99"), percentiles, strict=True):
            values[f"{name}_{point}"] = f"{value:.2f}"
    return values
