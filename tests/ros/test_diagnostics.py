"""What `/diagnostics` says, from a stream's figures alone."""

import pytest

pytest.importorskip("diagnostic_msgs", reason="diagnostic_msgs is not installed")

from diagnostic_msgs.msg import DiagnosticStatus

from vitron_ros.config import PerceptionConfig
from vitron_ros.ros.diagnostics import camera_status, model_status
from vitron_ros.streaming.load_shedding import LoadSheddingLevel
from vitron_ros.streaming.model_worker import ModelSummary
from vitron_ros.streaming.statistics import StreamStatistics

NOW_NS = 1_700_000_000 * 10**9
OK, WARN, ERROR, STALE = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR, DiagnosticStatus.STALE


def status(
    *,
    ahead_s=0.0,
    images=20,
    age_s=0.1,
    bad=(),
    late=0,
    lost=0,
    load_shedding=LoadSheddingLevel.NOTHING,
    silent_after_s=1.0,
    **names,
):
    """Of a stream of 10 images a second whose last came `age_s` ago. `bad`: what was wrong with those after it."""
    statistics = StreamStatistics()
    for index in range(images):
        arrival_ns = NOW_NS - int(age_s * 1e9) - (images - 1 - index) * 10**8
        statistics.frame(arrival_ns, 10**6, arrival_ns + int(ahead_s * 1e9))
    for problem in bad:
        statistics.bad_frame(problem, NOW_NS)
    for _ in range(late):
        statistics.late_frame()
    summary = statistics.summary(
        received=images + len(bad) + late,
        dropped=0,
        lost=lost,
        silent_after_s=silent_after_s,
        load_shedding=load_shedding,
    )
    where = {"node_name": "/vitron/perception", "camera": "front", "qos_problem": "", **names}
    return camera_status(summary=summary, now_ns=NOW_NS, config=PerceptionConfig(), **where)


@pytest.mark.parametrize(
    ("stream", "level", "says"),
    [
        ({}, OK, "10.0 images/s"),
        ({"images": 1}, OK, "the first image has come"),
        ({"images": 0}, STALE, "no image for longer than max_image_age=1 s"),
        ({"age_s": 5.0}, STALE, "no image for longer than max_image_age=1 s"),
        ({"age_s": 5.0, "silent_after_s": 6.0}, OK, "images/s"),
        ({"age_s": 7.0, "silent_after_s": 6.0}, STALE, "no image for longer than 6.0 s; until then 10.00 images/s"),
        ({"ahead_s": 3600.0}, WARN, "the camera's clock is 3600 s ahead"),
        ({"ahead_s": 2.0}, WARN, "the camera's clock is 2.0 s ahead"),
        ({"ahead_s": 0.2}, OK, "images/s"),
        ({"ahead_s": -0.8}, OK, "images/s"),
        ({"ahead_s": -30.0}, WARN, "the camera's clock is 30 s behind"),
        ({"ahead_s": 12.0 - NOW_NS / 1e9}, WARN, "the camera's clock is 1699999988 s behind"),
        ({"bad": ["cut off", "encoding 'nv24' is not known"]}, WARN, "2 images could not be read, the last: encoding"),
        ({"images": 0, "bad": ["cut off"]}, WARN, "1 images could not be read, the last: cut off"),
        ({"age_s": 60.0, "bad": ["cut off"]}, WARN, "cut off"),
        ({"lost": 41}, WARN, "41 of 61 images were lost on the way to the node"),
        ({"lost": 2}, OK, "images/s"),
        ({"late": 20}, WARN, "20 images were older than the one before"),
        (
            {"load_shedding": LoadSheddingLevel.MODEL_RATE},
            WARN,
            "the machine is too slow; left out: debug image, model rate",
        ),
        ({"images": 0, "qos_problem": "set image_qos to sensor_data"}, ERROR, "set image_qos to sensor_data"),
        ({"qos_problem": "set image_qos to sensor_data"}, WARN, "set image_qos to sensor_data"),
        ({"stopped_clock": "nobody publishes /clock", "age_s": 5.0}, WARN, "nobody publishes /clock"),
        ({"stopped_clock": "nobody publishes /clock", "images": 0}, STALE, "nobody publishes /clock"),
    ],
)
def test_a_camera(stream, level, says):
    said = status(**stream)
    assert (said.level, says in said.message) == (level, True), said.message


def test_one_problem_does_not_hide_another():
    said = status(ahead_s=60.0, bad=["cut off"], lost=50)
    assert all(part in said.message for part in ("cut off", "60 s ahead", "50 of 71 images were lost"))
    values = {item.key: item.value for item in said.values}
    assert (values["lost"], values["bad"], values["clock_ahead_s"]) == ("50", "1", "60.000")


def test_a_camera_is_not_said_to_be_ahead_of_a_clock_that_stands_still():
    said = status(ahead_s=3600.0, stopped_clock="use_sim_time is set, and nobody publishes /clock")
    assert (said.level, said.message) == (WARN, "use_sim_time is set, and nobody publishes /clock")


def test_a_clock_that_was_set_right_is_right_again_soon():
    statistics = StreamStatistics()
    for ahead_s in [3600] * 200 + [0] * 10:
        statistics.frame(NOW_NS, 0, NOW_NS + ahead_s * 10**9)
    assert statistics.summary(received=210, dropped=0, lost=0, silent_after_s=1.0).clock_ahead_s == 0


def test_names_and_hardware_differ_by_namespace_and_camera():
    model = ModelSummary(
        waiting=0, busy_s=0.0, latency_ms=(1, 1, 1), batch_ms=(1, 1, 1), replies={}, last_status=None, last_message=""
    )
    said = [
        make(node)
        for node in ("/perception", "/left/perception", "/right/perception")
        for make in (
            lambda node: status(node_name=node, camera=""),
            lambda node: status(node_name=node, camera="front"),
            lambda node: status(node_name=node, camera="rear"),
            lambda node: model_status(node, model, PerceptionConfig()),
        )
    ]
    assert [item.name for item in said[:4]] == [
        "perception: camera",
        "perception: camera front",
        "perception: camera rear",
        "perception: model",
    ]
    assert said[5].name == "left/perception: camera front"
    assert len({item.name for item in said}) == len({item.hardware_id for item in said}) == len(said)
