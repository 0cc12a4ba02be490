"""The perception node as its clients see it: real messages over real DDS."""

import threading

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("vitron_msgs", reason="vitron_msgs is not installed")

from builtin_interfaces.msg import Duration
from diagnostic_msgs.msg import DiagnosticStatus
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header
from std_srvs.srv import Trigger
from vitron_msgs.action import TrackObject
from vitron_msgs.msg import Region, Track, TrackArray, TrackEvent

from tests.ros.rig import WAIT_S, Camera, running_node
from vitron_ros.boxes import iou
from vitron_ros.images.codec import encode_jpeg
from vitron_ros.ros import qos, track_action
from vitron_ros.ros.camera_port import unknown_camera
from vitron_ros.ros.conversions import duration_from_ns, ns_from_time
from vitron_ros.ros_tools.pattern_camera import target_boxes
from vitron_ros.streaming import load_shedding
from vitron_ros.streaming.pipeline import CameraPipeline

pytestmark = pytest.mark.ros
Result, Feedback = TrackObject.Result, TrackObject.Feedback


def box_region(box):
    return Region(kind=Region.BOX, x=[float(box[0]), float(box[2])], y=[float(box[1]), float(box[3])])


def goal_for(rig, number=0, **fields):
    """A goal for one of the camera's targets, drawn on the picture that it will show next."""
    box = target_boxes(rig.index, rig.targets, *rig.size)[number]
    return TrackObject.Goal(region=[box_region(box)], **fields)


def start(camera, probe, number=0, **fields):
    handle = probe.send(goal_for(camera, number, **fields))
    assert handle.accepted
    camera.hold_until(lambda: probe.tracks and any(probe.tracks[-1][1].tracks))
    return handle


def overlap(track, camera, number=0):
    """IoU of a track in the answer to the picture that was shown last with one of its targets."""
    return float(iou(track.box, target_boxes(camera.index - 1, camera.targets, *camera.size)[number]))


def event(probe, kind, reason):
    """The first event of a kind and a reason, once it has come."""

    def found():
        return [event for event in probe.events if (event.event, event.reason) == (kind, reason)]

    probe.spin_until(found, WAIT_S, "the event")
    return found()[0]


def change_state(probe, transition):
    return probe.call(ChangeState, "perception/change_state", ChangeState.Request(transition=Transition(id=transition)))


def state(probe):
    return probe.call(GetState, "perception/get_state", GetState.Request()).current_state.label


def set_parameter(probe, name, value):
    request = SetParameters.Request(parameters=[Parameter(name, value=value).to_parameter_msg()])
    return probe.call(SetParameters, "perception/set_parameters", request).results[0]


def next_status(probe, camera, is_it):
    """The next status that is the one looked for, while the camera goes on."""
    count = len(probe.diagnostics)

    def found():
        return [array.status[0] for _, array in probe.diagnostics[count:] if is_it(array.status[0])]

    camera.run_until(found)
    return found()[0]


def warns(status):
    return status.level == DiagnosticStatus.WARN


def test_every_image_gets_an_answer_with_its_own_header(camera, probe):
    camera.run_until(lambda: probe.tracks)
    for _ in range(10):
        message = camera.message()
        answer = camera.answer(message)
        assert answer.header == message.header
        assert answer.header.frame_id == "lens"
        assert (answer.width, answer.height) == camera.size
        assert answer.tracks == [], "nothing is tracked, and that is said"


def test_a_box_is_followed_and_cancel_gives_a_partial_result(camera, probe):
    handle = start(camera, probe, prompt="the square")
    camera.run_until(lambda: sum(len(message.tracks) for _, message in probe.tracks) > 20)
    (track,) = camera.answer().tracks
    assert overlap(track, camera) > 0.6
    assert track.state == Track.TRACKED
    assert track.phrase == "the square"
    assert 0 < track.score <= 1
    assert any(feedback.phase == Feedback.TRACKING and feedback.tracks.tracks for feedback in probe.feedback)
    result = probe.cancel(handle)
    assert result.error_code == Result.CANCELED
    assert result.frames_tracked >= 20
    assert [track.phrase for track in result.tracks] == ["the square"]
    camera.run_until(lambda: not probe.tracks[-1][1].tracks)
    probe.spin_until(lambda: len(probe.events) == 2, WAIT_S, "the events")
    assert [event.event for event in probe.events] == [TrackEvent.STARTED, TrackEvent.ENDED]


def test_masks_are_published_while_they_are_wanted(camera, probe):
    start(camera, probe)
    camera.run(3)
    assert not probe.tracks[-1][1].tracks[0].mask, "off by default"
    assert set_parameter(probe, "publish_masks", True).successful
    camera.run_until(lambda: probe.tracks[-1][1].tracks[0].mask)
    message = probe.tracks[-1][1]
    (track,) = message.tracks
    (mask,) = track.mask
    assert mask.header == message.header and mask.encoding == "mono8"
    x_min, y_min, x_max, y_max = track.box
    assert (track.mask_x, track.mask_y) == (int(x_min), int(y_min))
    assert (mask.width, mask.height) == (np.ceil(x_max) - int(x_min), np.ceil(y_max) - int(y_min))
    pixels = np.frombuffer(bytes(mask.data), np.uint8).reshape(mask.height, mask.step)
    assert set(np.unique(pixels)) <= {0, 255} and (pixels > 0).mean() > 0.6, "the target is a square"
    assert set_parameter(probe, "publish_masks", False).successful
    camera.run_until(lambda: not probe.tracks[-1][1].tracks[0].mask)


def test_two_goals_side_by_side_and_ending_one_leaves_the_other_alone(camera, probe):
    first = start(camera, probe, 0, prompt="first")
    second = probe.send(goal_for(camera, 1, prompt="second"))
    camera.run_until(lambda: len(probe.tracks[-1][1].tracks) == 2)
    assert [track.id for track in probe.tracks[-1][1].tracks] == [1, 2]
    assert probe.cancel(first).error_code == Result.CANCELED
    camera.run_until(lambda: len(probe.tracks[-1][1].tracks) == 1)
    (kept,) = camera.answer().tracks
    assert (kept.id, kept.phrase, kept.state) == (2, "second", Track.TRACKED)
    assert probe.cancel(second).error_code == Result.CANCELED


def test_a_goal_with_a_duration_succeeds_by_itself(camera, probe):
    handle = start(camera, probe, duration=duration_from_ns(300_000_000))
    future = handle.get_result_async()
    camera.run_until(future.done)
    assert future.result().result.error_code == Result.NONE
    assert future.result().status == 4  # action_msgs/GoalStatus.STATUS_SUCCEEDED


@pytest.mark.parametrize(
    ("goal", "reason", "says"),
    [
        (TrackObject.Goal(), TrackEvent.REASON_NONE, "say what to follow"),
        (TrackObject.Goal(prompt=" "), TrackEvent.REASON_NONE, "say what to follow"),
        (TrackObject.Goal(prompt="x", camera="rear"), TrackEvent.REASON_NONE, "no camera 'rear'"),
        (TrackObject.Goal(prompt="x", timeout=Duration(sec=-1)), TrackEvent.REASON_NONE, "timeout is -1"),
        (TrackObject.Goal(prompt="x", min_score=2.0), TrackEvent.REASON_NONE, "min_score"),
        (TrackObject.Goal(region=[Region(kind=9)]), TrackEvent.REASON_BAD_REGION, "kind 9"),
        (TrackObject.Goal(region=[Region(kind=Region.BOX, x=[1.0])]), TrackEvent.REASON_BAD_REGION, "as many x as y"),
        (TrackObject.Goal(region=[Region(kind=Region.POLYGON)]), TrackEvent.REASON_BAD_REGION, "0 points"),
        (TrackObject.Goal(region=[Region(kind=Region.MASK)]), TrackEvent.REASON_BAD_REGION, "needs a mask"),
        (
            TrackObject.Goal(region=[Region(kind=Region.MASK, mask=[Image(encoding="mono8", width=9, height=9)])]),
            TrackEvent.REASON_BAD_REGION,
            "mask cannot be decoded",
        ),
        (
            TrackObject.Goal(region=[Region(kind=Region.POINT, x=[float("nan")], y=[0.0])]),
            TrackEvent.REASON_BAD_REGION,
            "finite",
        ),
    ],
)
def test_goals_that_cannot_be_carried_out_are_refused_with_a_reason(camera, probe, goal, reason, says):
    camera.run_until(lambda: probe.tracks)
    assert not probe.send(goal).accepted
    assert says in event(probe, TrackEvent.REJECTED, reason).text
    count = len(probe.tracks)
    camera.run_until(lambda: len(probe.tracks) > count)


@pytest.mark.parametrize(
    ("box", "says"),
    [
        ([10, 10, 10, 40], "no area"),
        ([-90, -90, -10, -10], "outside"),
        ([1000, 1000, 1100, 1100], "outside"),
        ([float("inf"), 0, 10, 10], "finite"),
    ],
)
def test_boxes_that_mark_nothing_abort_the_goal_or_are_refused(camera, probe, box, says):
    camera.run_until(lambda: probe.tracks)
    handle = probe.send(TrackObject.Goal(region=[box_region(box)]))
    if handle.accepted:
        result = camera.result(handle)
        assert result.error_code == Result.BAD_REGION
        assert says in result.error_msg
    assert says in event(probe, TrackEvent.REJECTED, TrackEvent.REASON_BAD_REGION).text


def test_a_prompt_alone_says_that_no_model_is_loaded(camera, probe):
    handle = probe.send(TrackObject.Goal(prompt="the red mug"))
    result = camera.result(handle)
    assert result.error_code == Result.MODEL_ERROR
    assert "no model loaded" in result.error_msg
    assert event(probe, TrackEvent.REJECTED, TrackEvent.REASON_MODEL_ERROR).text == result.error_msg


def test_too_many_goals_are_refused_and_room_is_made_when_one_ends(probe):
    with running_node(max_goals=2):
        camera = Camera(probe).connect()
        handles = [start(camera, probe, number) for number in (0, 1)]
        assert not probe.send(goal_for(camera)).accepted
        assert "max_goals=2" in event(probe, TrackEvent.REJECTED, TrackEvent.REASON_NONE).text
        probe.cancel(handles[0])
        assert probe.send(goal_for(camera)).accepted


def test_the_life_of_the_node(probe):
    """Every transition, twice around; goals end with SHUTDOWN, ids go on, and no thread is left behind."""
    threads = threading.active_count()
    with running_node(autostart=False):
        assert state(probe) == "unconfigured"
        for turn in (1, 2):
            assert change_state(probe, Transition.TRANSITION_CONFIGURE).success
            assert state(probe) == "inactive"
            assert not probe.send(TrackObject.Goal(prompt="too early")).accepted
            assert change_state(probe, Transition.TRANSITION_ACTIVATE).success
            camera = Camera(probe).connect()
            handle = start(camera, probe)
            assert probe.tracks[-1][1].tracks[0].id == turn
            assert change_state(probe, Transition.TRANSITION_DEACTIVATE).success
            assert probe.result(handle).error_code == Result.SHUTDOWN
            deactivated_ns = probe.get_clock().now().nanoseconds
            camera.run(5)
            stamps_ns = [ns_from_time(message.header.stamp) for _, message in probe.tracks]
            assert max(stamps_ns) < deactivated_ns, "an inactive node says nothing"
            assert threading.active_count() <= threads + 1, "only the node's own spinning thread is left"
            assert change_state(probe, Transition.TRANSITION_CLEANUP).success
            probe.tracks.clear()
        assert state(probe) == "unconfigured"


def test_a_worker_that_dies_leaves_no_client_waiting(probe, monkeypatch):
    with running_node() as node:
        camera = Camera(probe).connect()
        handle = start(camera, probe)

        def die(*args):
            raise RuntimeError("a bug")

        monkeypatch.setattr(CameraPipeline, "step", die)
        camera.run_until(lambda: node.has_failed)
        assert change_state(probe, Transition.TRANSITION_DEACTIVATE).success
        assert probe.result(handle).error_code == Result.SHUTDOWN


def test_a_bug_in_one_goal_ends_that_goal_and_no_other(camera, probe, monkeypatch):
    handle = start(camera, probe)

    def die(*args):
        raise ValueError("a bug")

    with monkeypatch.context() as patch:
        patch.setattr(track_action, "request_from_goal", die)
        assert not probe.send(goal_for(camera, 1)).accepted
    with monkeypatch.context() as patch:
        patch.setattr(track_action.TrackAction, "begin", die)
        result = probe.result(probe.send(goal_for(camera, 1)))
        assert (result.error_code, "bug" in result.error_msg) == (Result.INTERNAL_ERROR, True)
    camera.run_until(lambda: [track.state for track in probe.tracks[-1][1].tracks] == [Track.TRACKED])
    assert probe.cancel(handle).error_code == Result.CANCELED


def test_every_image_that_was_sent_is_processed_or_counted(camera, probe):
    """The node's queue is one image deep: what a burst overwrites in it never comes to any callback."""
    camera.run_until(lambda: probe.tracks)
    before, count = probe.tracks[-1][1].skipped + len(probe.tracks), camera.index
    for _ in range(5):
        for _ in range(8):
            last = camera.publish()
        probe.spin_until(lambda stamp=last.header.stamp: probe.tracks[-1][1].header.stamp == stamp, 20)
    assert probe.tracks[-1][1].skipped + len(probe.tracks) - before == camera.index - count


def test_a_camera_whose_clock_is_wrong_is_tracked_and_told_of(camera, probe, capfd):
    def ahead():
        message = camera.message()
        message.header.stamp.sec += 3600
        return message

    def status():
        camera.show(ahead())
        return probe.diagnostics[-1][1].status[0] if probe.diagnostics else DiagnosticStatus()

    probe.spin_until(lambda: "the camera's clock is 3600 s ahead" in status().message, 20)
    assert status().level == DiagnosticStatus.WARN
    handle = probe.send(goal_for(camera))
    probe.spin_until(lambda: status() and any(track.state == Track.TRACKED for track in probe.tracks[-1][1].tracks), 20)
    assert probe.cancel(handle).error_code == Result.CANCELED
    assert capfd.readouterr().err.count("the camera's clock is 3600 s ahead") == 1, "the log says it once"


def test_diagnostics_say_why_no_image_comes(probe, node):
    def says(text):
        return lambda: probe.diagnostics and text in probe.diagnostics[-1][1].status[0].message

    probe.spin_until(says("nobody publishes on /image"), 20)
    probe.create_publisher(CompressedImage, "image", 1)
    probe.spin_until(says("/image has images of sensor_msgs/msg/CompressedImage, not Image; see image_transport"), 20)
    assert probe.diagnostics[-1][1].status[0].level == DiagnosticStatus.STALE


def test_why_no_image_can_be_read_is_what_its_goals_are_told(camera, probe):
    bad = bad_images()["sepia8"]
    camera.run_until(lambda: probe.diagnostics and "sepia8" in probe.diagnostics[-1][1].status[0].message, lambda: bad)
    future = probe.send(goal_for(camera, timeout=duration_from_ns(500_000_000))).get_result_async()
    camera.run_until(future.done, lambda: bad)
    result = future.result().result
    assert (result.error_code, "sepia8" in result.error_msg) == (Result.INPUT_STALE, True)
    assert "sepia8" in next_status(probe, camera, warns).message


@pytest.mark.parametrize(
    ("name", "names", "says"),
    [
        ("rear", [""], "there is no camera 'rear': the node's only camera has no name; leave camera empty"),
        ("rear", ["front", "left"], "there is no camera 'rear'; there are 'front', 'left'"),
        ("", ["front", "left"], "say which camera; there are 'front', 'left'"),
    ],
)
def test_a_camera_that_is_not_there(name, names, says):
    assert unknown_camera(name, names) == says


def test_reset_drops_every_target(camera, probe):
    handle = start(camera, probe)
    answer = probe.call(Trigger, "perception/reset", Trigger.Request())
    assert answer.success
    assert "reset" in camera.result(handle).error_msg
    assert camera.answer().tracks == []


def test_parameters_change_while_active_or_say_why_not(camera, probe):
    camera.run_until(lambda: probe.tracks)
    assert set_parameter(probe, "max_targets", 1).successful
    start(camera, probe)
    handle = probe.send(goal_for(camera, 1))
    assert camera.result(handle).error_code == Result.OVERLOADED
    refused = set_parameter(probe, "image_transport", "compressed")
    assert not refused.successful
    assert "deactivate" in refused.reason
    assert "out of range" in set_parameter(probe, "min_score", 1.5).reason
    assert "must be a double" in set_parameter(probe, "min_score", "high").reason
    assert set_parameter(probe, "timeout", 5).successful, "a whole number is a number"


@pytest.mark.parametrize(
    "parameters",
    [{"miin_score": 0.5}, {"tracker": "magic"}, {"cameras": ["a", "a"]}, {"image_qos": "best"}, {"timeout": "soon"}],
)
def test_wrong_parameters_fail_configure_and_can_be_mended(probe, parameters):
    with running_node(autostart=False, **parameters):
        assert not change_state(probe, Transition.TRANSITION_CONFIGURE).success
        assert state(probe) == "unconfigured"


def bad_images():
    """By what is said of them."""
    good = np.zeros((48, 64, 3), np.uint8)
    return {
        "this has 100": Image(width=64, height=48, step=192, encoding="rgb8", data=b"\0" * 100),
        "step is 5": Image(width=64, height=48, step=5, encoding="rgb8", data=good.tobytes()),
        "sepia8": Image(width=64, height=48, step=192, encoding="sepia8", data=good.tobytes()),
        "0x0": Image(width=0, height=0, step=0, encoding="rgb8"),
        "4000000000": Image(width=4_000_000_000, height=4_000_000_000, step=4_000_000_000, encoding="mono8"),
    }


def test_bad_images_are_counted_and_tracking_goes_on(camera, probe):
    start(camera, probe)
    camera.run_until(lambda: probe.diagnostics and probe.tracks[-1][1].tracks[0].state == Track.TRACKED)
    for says, message in bad_images().items():
        camera.run_until(
            lambda says=says: says in probe.diagnostics[-1][1].status[0].message, lambda message=message: message
        )
        assert camera.answer().tracks[0].state == Track.TRACKED
    assert probe.tracks[-1][1].skipped >= len(bad_images())
    status = next_status(probe, camera, warns)
    assert int({value.key: value.value for value in status.values}["bad"]) >= len(bad_images())


def test_a_new_image_size_ends_the_target_and_the_stream_goes_on(camera, probe):
    handle = start(camera, probe)
    picture = np.zeros((48, 64, 3), np.uint8)
    small = Image(width=64, height=48, step=192, encoding="rgb8", data=picture.tobytes())
    small.header.stamp = probe.get_clock().now().to_msg()
    assert camera.answer(small).width == 64
    result = probe.result(handle)
    assert result.error_code == Result.LOST
    assert event(probe, TrackEvent.ENDED, TrackEvent.REASON_IMAGE_CHANGED).text == result.error_msg


def test_stamps_that_jump_back_end_the_target_with_the_reason(camera, probe):
    handle = start(camera, probe)
    old = camera.message()
    old.header.stamp.sec -= 100
    assert camera.answer(old).tracks[0].state == Track.ENDED
    result = probe.result(handle)
    assert result.error_code == Result.LOST
    assert event(probe, TrackEvent.ENDED, TrackEvent.REASON_TIME_JUMP).text == result.error_msg


def test_images_without_stamps_are_tracked(camera, probe):
    def unstamped():
        message = camera.message()
        message.header = Header(frame_id="lens")
        return message

    def is_tracked():
        return probe.tracks and [track.state for track in probe.tracks[-1][1].tracks] == [Track.TRACKED]

    camera.show(unstamped())
    handle = probe.send(goal_for(camera))
    camera.run_until(is_tracked, unstamped)
    assert probe.tracks[-1][1].header.stamp.sec == 0, "headers are the camera's own"
    probe.cancel(handle)


def test_a_camera_that_stops_is_stale_and_its_target_survives_the_pause(probe):
    with running_node(max_image_age=0.3, diagnostics_period=0.1, feedback_rate=1000.0):
        camera = Camera(probe).connect()
        start(camera, probe)
        probe.feedback.clear()
        probe.spin_until(
            lambda: probe.diagnostics and probe.diagnostics[-1][1].status[0].level == b"\x03", 20, "a stale status"
        )
        probe.spin_until(lambda: probe.feedback and probe.feedback[-1].phase == Feedback.INPUT_STALE, 20, "stale input")
        before = len(probe.tracks)
        camera.run_until(lambda: len(probe.tracks) > before + 10)
        assert probe.tracks[-1][1].tracks[0].id == 1
        next_status(probe, camera, lambda status: status.level != DiagnosticStatus.STALE)


def test_a_camera_that_can_never_match_is_an_error_with_both_policies(probe):
    with running_node(image_qos="reliable", diagnostics_period=0.1):
        Camera(probe, reliability="sensor_data")
        probe.spin_until(
            lambda: probe.diagnostics and probe.diagnostics[-1][1].status[0].level == b"\x02", 20, "an error"
        )
        message = probe.diagnostics[-1][1].status[0].message
        assert "RELIABILITY" in message
        assert "image_qos=reliable" in message


def test_a_camera_that_can_never_match_is_logged_and_forgotten_when_it_has_gone(probe, capfd):
    def status():
        return probe.diagnostics[-1][1].status[0] if probe.diagnostics else DiagnosticStatus()

    with running_node(image_qos="reliable", diagnostics_period=0.1):
        wrong = probe.create_publisher(Image, "image", qos.IMAGE["sensor_data"])
        probe.spin_until(lambda: status().level == DiagnosticStatus.ERROR, 20, "an error")
        right = Camera(probe, reliability="reliable")
        right.run_until(lambda: status().level == DiagnosticStatus.WARN)
        assert "RELIABILITY" in status().message, "images come, though not of every camera"
        probe.destroy_publisher(wrong)
        right.run_until(lambda: "RELIABILITY" not in status().message)
    assert "'/image', offering incompatible QoS" in capfd.readouterr().err


def test_cameras_have_their_own_topics_and_share_the_ids(probe):
    with running_node(cameras=["left", "right"]):
        heard = {name: [] for name in ("left", "right")}
        for name, messages in heard.items():
            probe.create_subscription(TrackArray, f"{name}/tracks", messages.append, qos.TRACKS)
        cameras = {name: Camera(probe, topic=f"{name}/image").connect() for name in heard}
        for name, camera in cameras.items():
            probe.send(goal_for(camera, camera=name, prompt=name))

        def are_both_tracked():
            cameras["left"].show()
            return all(messages and messages[-1].tracks for messages in heard.values())

        cameras["right"].run_until(are_both_tracked)
        for name, messages in heard.items():
            assert messages[-1].camera == name
            assert [track.phrase for track in messages[-1].tracks] == [name]
        assert sorted(messages[-1].tracks[0].id for messages in heard.values()) == [1, 2]


def test_compressed_images(probe):
    with running_node(image_transport="compressed"):
        publisher = probe.create_publisher(CompressedImage, "image/compressed", qos.IMAGE["sensor_data"])
        picture = encode_jpeg(Camera(probe, topic="unused").pictures[0])

        def publish_until(data, condition):
            def sent_and_true():
                message = CompressedImage(format="jpeg", data=data)
                message.header.stamp = probe.get_clock().now().to_msg()
                publisher.publish(message)
                probe.spin_for(0.05)
                return condition()

            probe.spin_until(sent_and_true, 20)

        publish_until(picture, lambda: probe.tracks)
        publish_until(
            b"\xff\xd8 cut off", lambda: probe.diagnostics and probe.diagnostics[-1][1].status[0].level == b"\x01"
        )
        count = len(probe.tracks)
        publish_until(picture, lambda: len(probe.tracks) > count)
        assert probe.tracks[-1][1].skipped >= 1


def test_the_debug_image_is_drawn_only_while_somebody_looks(camera, probe):
    start(camera, probe)
    seen = []
    subscription = probe.create_subscription(Image, "debug_image", seen.append, qos.DEBUG_IMAGE)
    camera.run_until(lambda: seen)
    picture = np.frombuffer(seen[-1].data, np.uint8).reshape(seen[-1].height, seen[-1].width, 3)
    assert seen[-1].header.frame_id == "lens"
    assert not any(np.array_equal(picture, plain) for plain in camera.pictures), "the box is drawn in"
    probe.destroy_subscription(subscription)


def test_a_region_drawn_on_an_earlier_image_is_carried_to_now(probe):
    with running_node(history=10.0):
        camera = Camera(probe).connect()
        camera.run_until(lambda: probe.tracks)
        index, drawn_on = camera.index, camera.answer()
        camera.run(5)
        box = target_boxes(index, camera.targets, *camera.size)[0]
        probe.send(TrackObject.Goal(region=[box_region(box)], region_stamp=drawn_on.header.stamp))
        camera.run_until(lambda: probe.tracks[-1][1].tracks)
        (track,) = camera.answer().tracks
        assert track.grounded == drawn_on.header.stamp
        assert overlap(track, camera) > 0.6


def test_detections_speak_the_standard_type(camera, probe):
    vision_msgs = pytest.importorskip("vision_msgs.msg", reason="vision_msgs has no wheel; it comes with an apt ROS")
    seen = []
    probe.create_subscription(vision_msgs.Detection2DArray, "detections", seen.append, qos.TRACKS)
    start(camera, probe, prompt="square")
    camera.run_until(lambda: seen and seen[-1].detections)
    assert seen[-1].detections[0].id == "1"
    assert seen[-1].detections[0].results[0].hypothesis.class_id == "square"
    start(camera, probe, 1)
    camera.run_until(lambda: len(seen[-1].detections) == 2)
    assert seen[-1].detections[1].results[0].hypothesis.class_id == "object", "an id is no class"


def test_what_a_slow_machine_leaves_out_is_in_the_tracks_and_in_the_diagnostics(probe, monkeypatch):
    monkeypatch.setattr(load_shedding, "TOO_BUSY", 0.0)  # any machine is too slow
    monkeypatch.setattr(load_shedding, "AT_EASE", -1.0)  # and stays so
    with running_node(diagnostics_period=0.2):
        camera = Camera(probe).connect()
        debug = []
        probe.create_subscription(Image, "debug_image", debug.append, qos.DEBUG_IMAGE)
        camera.run_until(lambda: probe.tracks and probe.tracks[-1][1].load_shedding == TrackArray.LOAD_SHEDDING_SEARCH)
        debug.clear()
        count = len(probe.diagnostics)
        camera.run_until(lambda: len(probe.diagnostics) > count + 1)
        status = probe.diagnostics[-1][1].status[0]
        values = {value.key: value.value for value in status.values}
        assert values["load_shedding"] == "debug image, model rate, model targets, search"
        assert status.level == DiagnosticStatus.WARN and "too slow" in status.message
        assert debug == []
