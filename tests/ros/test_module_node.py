"""The RunModule action of a module's node over real DDS: results, refusals, the queue, cancelling, faults."""

import functools
import resource
import threading
from types import SimpleNamespace

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from vitron_msgs.action import RunModule
from vitron_msgs.msg import Invocation, Track, TrackArray

from tests.modules.fake_backend import FakeBackend
from tests.ros.endless_module import endless_module
from tests.ros.rig import WAIT_S, Camera, running
from vitron_ros.errors import ConfigError
from vitron_ros.images.decode import decode_image
from vitron_ros.module_registry import Module
from vitron_ros.modules.module import BadJob
from vitron_ros.modules.settings import MIB, ModuleConfig
from vitron_ros.recordings.sources import open_source
from vitron_ros.region import Region
from vitron_ros.ros import remote_action
from vitron_ros.ros.conversions import image_message, outcome_name, region_message
from vitron_ros.ros.module_node import ModuleNode, limit_process
from vitron_ros.ros.remote_action import RemoteAction

pytestmark = pytest.mark.ros
HEIGHT, WIDTH = 24, 32
START_S = 120.0  # for a process that imports all that a node needs


def picture(index=0, width=WIDTH):
    pixels = np.full((HEIGHT, width, 3), 10 * index, np.uint8)
    return image_message(pixels, Header(stamp=Time(sec=5, nanosec=index), frame_id="lens"))


def goal(module=Module.IMAGE_EDITING, said="remove: the mug", images=1, **fields):
    region = [region_message(Region.from_box([2, 2, 9, 9]))]
    invocation = Invocation(module=int(module), instructions=[said], region=region, track_id=7)
    if isinstance(images, int):
        images = [picture(index) for index in range(images)]
    return RunModule.Goal(invocation=invocation, images=images, **fields)


@pytest.fixture
def rig(probe, tmp_path):
    """A node `editing` with a fake backend, its client, and a function that runs a goal to its end."""
    backend = FakeBackend()
    files = SimpleNamespace(input=tmp_path / "in", output=tmp_path / "out")
    for folder in (files.input, files.output):
        folder.mkdir()
    with running(
        functools.partial(ModuleNode, "editing", lambda *_: backend),
        input_folder=str(files.input),
        output_folder=str(files.output),
        min_free_disk=0,
        max_pixels=10_000,
        max_frames=5,
        max_clip_pixels=4 * WIDTH * HEIGHT,
        max_queue=3,
        history=10.0,
        niceness=0,
    ) as node:
        client = RemoteAction(probe, RunModule, "editing/run", "editing")

        def run(asked, on_feedback=None):
            call = client.run(asked, on_feedback)
            probe.spin_until(call.result.done, 20)
            return call.result.result()

        yield SimpleNamespace(node=node, backend=backend, client=client, run=run, probe=probe, **vars(files))
        backend.gate.set()
        client.destroy()


def pixels_of(message):
    return decode_image(message.encoding, message.width, message.height, message.step, False, message.data)


def test_a_clip_comes_back_changed_with_its_headers_and_as_files(rig):
    rig.backend.gate.clear()
    told = []

    def hear(feedback):
        told.append(feedback)
        rig.backend.gate.set()

    asked = goal(Module.VIDEO_EDITING, images=3, output="red", formats=["png", "mp4", "mcap"])
    asked.tracks = [
        TrackArray(
            header=asked.images[1].header,
            tracks=[
                Track(id=7, state=Track.TRACKED, box=[1.0, 2.0, 5.0, 6.0], mask=[masked(4, 4)], mask_x=1, mask_y=2)
            ],
        )
    ]
    result = rig.run(asked, hear)
    assert (outcome_name(result), result.error_msg) == ("OK", "")
    assert (result.note, result.backend) == ("done in red", "fake (Apache-2.0)")
    assert [image.header for image in result.images] == [image.header for image in asked.images]
    assert all((pixels_of(image) == [255, 0, 0]).all() for image in result.images)
    assert [mask.encoding for mask in result.masks] == ["mono8"] * 3
    assert list(result.box_frames) == [0] and list(result.boxes[0].x) == [0, WIDTH // 2]
    assert told and told[0].waiting == 0 and 0 <= told[0].progress < 1
    (job,) = rig.backend.jobs
    assert (job.action, job.text, job.region.points.tolist()) == ("remove", "the mug", [[2, 2], [9, 9]])
    assert [None if box is None else box.tolist() for box in job.boxes] == [None, [1, 2, 5, 6], None]
    assert job.masks[1].sum() == 16 * 255 and job.masks[0] is None
    folder = rig.output / "red"
    assert result.path == str(folder)
    written = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.suffix != ".yaml")
    assert "images/000002.png" in written and "masks/000000.png" in written and "masks.mp4" in written
    assert len(list(open_source(str(folder / "images.mp4")))) == 3
    assert not list(rig.output.glob(".*")), "nothing half written stays"


def masked(width, height):
    return image_message(np.full((height, width), 255, np.uint8), Header())


def test_refusals_name_what_is_wrong(rig):
    (rig.input / "here.png").symlink_to("/etc/hostname")
    (rig.input / "text.mp4").write_text("no film")
    (rig.output / "taken").mkdir()
    wide = picture(width=9000)
    cases = [
        (goal(Module.IMAGE_GENERATION, "generate: a cat"), "UNSUPPORTED", "done by the node generation"),
        (goal(99), "UNSUPPORTED", "module 99"),
        (goal(said="animate: it"), "UNSUPPORTED", "cannot animate"),
        (goal(said="please"), "BAD_INPUT", "does not say what to do"),
        (goal(images=2), "BAD_INPUT", "one image, and 2 were given"),
        (goal(images=[wide]), "TOO_LARGE", "9000x24"),
        (goal(Module.VIDEO_EDITING, images=6), "TOO_LARGE", "max_frames=5"),
        (goal(Module.VIDEO_EDITING, images=5), "TOO_LARGE", "max_clip_pixels"),
        (goal(images=[Image(width=3, height=3, encoding="rgb8")]), "BAD_INPUT", "image 0 cannot be decoded"),
        (goal(Module.VIDEO_EDITING, images=[picture(), picture(width=8)]), "BAD_INPUT", "one size"),
        (goal(images=[picture(width=1)]), "BAD_INPUT", "outside the image of 1x24"),
        (goal(masks=[masked(3, 3)]), "BAD_INPUT", "as large as its image"),
        (goal(frame_rate=float("nan")), "BAD_INPUT", "frame_rate is nan"),
        (goal(images=0, input="../in/x.png"), "BAD_INPUT", "no separators"),
        (goal(images=0, input="gone.png"), "BAD_INPUT", "no gone.png"),
        (goal(images=0, input="here.png"), "BAD_INPUT", "leads out"),
        (goal(images=0, input="text.mp4"), "BAD_INPUT", "text.mp4"),
        (goal(output="a/b"), "BAD_INPUT", "no separators"),
        (goal(output="taken"), "BAD_INPUT", "already"),
        (goal(output="new", formats=["gif"]), "BAD_INPUT", "not as 'gif'"),
        (goal(files_only=True), "BAD_INPUT", "name a folder"),
        (goal(images=0), "BAD_INPUT", "no image of the camera"),
    ]
    for asked, code, says in cases:
        result = rig.run(asked)
        assert (outcome_name(result), says in result.error_msg) == (code, True), (says, result.error_msg)
    assert rig.backend.jobs == [] and list(rig.output.iterdir()) == [rig.output / "taken"]


def test_of_fifty_goals_at_once_the_queue_takes_three_and_the_rest_are_told(rig):
    rig.backend.gate.clear()
    calls = [rig.client.run(goal()) for _ in range(50)]
    rig.probe.spin_until(lambda: sum(call.result.done() for call in calls) == 47, 20)
    refused = [call.result.result() for call in calls if call.result.done()]
    assert {outcome_name(result) for result in refused} == {"QUEUE_FULL"}
    assert "the limit is max_queue=3; try again later" in refused[0].error_msg
    running_first, waits, waits_too = [call for call in calls if not call.result.done()]
    waits.cancel()
    rig.probe.spin_until(waits.result.done, 20)
    running_first.cancel()
    rig.probe.spin_until(running_first.result.done, 20)
    rig.backend.gate.set()
    rig.probe.spin_until(waits_too.result.done, 20)
    assert [outcome_name(call.result.result()) for call in (running_first, waits, waits_too)] == [
        "CANCELED",
        "CANCELED",
        "OK",
    ]


def test_a_job_that_fails_says_why_and_the_node_goes_on(rig):
    for error, code, says in [
        (MemoryError(), "OUT_OF_MEMORY", "not enough memory"),
        (OSError(28, "No space left on device"), "DISK_FULL", "the disk is full"),
        (BadJob("no red mug is there"), "BAD_INPUT", "no red mug"),
        (KeyError("x"), "INTERNAL_ERROR", "a bug ended this goal"),
        (None, "OK", ""),
    ]:
        rig.backend.error = error
        result = rig.run(goal())
        assert (outcome_name(result), says in result.error_msg) == (code, True)


def test_results_are_not_written_where_too_little_room_is_left(rig):
    rig.probe.settle("editing")
    set_parameter(rig.node, "min_free_disk", 2**24)
    result = rig.run(goal(output="x"))
    assert (outcome_name(result), "min_free_disk" in result.error_msg) == ("DISK_FULL", True)
    set_parameter(rig.node, "min_free_disk", 0)
    set_parameter(rig.node, "job_timeout", 0.2)
    rig.backend.gate.clear()
    assert outcome_name(rig.run(goal())) == "TIMEOUT"
    assert list(rig.output.iterdir()) == []


def set_parameter(node, name, value):
    from rclpy.parameter import Parameter

    (answer,) = node.set_parameters([Parameter(name, value=value)])
    assert answer.successful, answer.reason


def test_a_goal_may_name_images_of_a_camera(rig):
    camera = Camera(rig.probe, size=(WIDTH, HEIGHT)).connect()

    def newest():
        images = rig.run(goal(images=0)).images
        return images[0].header.stamp if images else None

    shown = [Time(sec=5, nanosec=index * 100_000_000) for index in range(4)]
    for stamp in shown:
        message = camera.message()
        message.header.stamp = stamp
        camera.run_until(lambda stamp=stamp: newest() == stamp, lambda message=message: message)
    clip = goal(Module.VIDEO_EDITING, images=0, first_stamp=shown[1], last_stamp=shown[-1])
    kept = [image.header.stamp for image in rig.run(clip).images]
    assert list(dict.fromkeys((stamp.sec, stamp.nanosec) for stamp in kept)) == [
        (stamp.sec, stamp.nanosec) for stamp in shown[1:]
    ], "an image that had to be sent twice is kept twice"
    earlier = goal(images=0)
    earlier.invocation.header.stamp = shown[0]
    assert rig.run(earlier).images[0].header.stamp == shown[0]


def test_the_embedded_backend_removes_what_was_marked_and_nothing_else(probe):
    wall = np.tile(np.arange(64, dtype=np.uint8)[:, None, None] * 2, (1, 64, 3))
    wall[20:40, 20:40] = [250, 20, 20]
    asked = goal(images=[image_message(wall, Header())])
    asked.invocation.region = [region_message(Region.from_box([20, 20, 40, 40]))]
    with running(functools.partial(ModuleNode, "editing")):
        client = RemoteAction(probe, RunModule, "editing/run", "editing")
        call = client.run(asked)
        probe.spin_until(call.result.done, WAIT_S)
        client.destroy()
    result = call.result.result()
    assert (outcome_name(result), result.backend) == ("OK", "embedded (Apache-2.0)")
    changed = pixels_of(result.images[0])
    hole = pixels_of(result.masks[0])[..., 0] > 0
    assert (changed[~hole] == wall[~hole]).all()
    assert changed[30, 30, 0] < 150, "the red square is gone"


def test_the_death_of_a_node_in_mid_goal_is_told_and_the_next_node_serves(probe, monkeypatch):
    client = RemoteAction(probe, RunModule, "editing/run", "editing")
    with endless_module() as process:
        probe.spin_until(lambda: client.is_ready, START_S)
        began = threading.Event()
        call = client.run(goal(), lambda feedback: began.set())
        probe.spin_until(began.is_set, WAIT_S)
        process.kill()
        with monkeypatch.context() as brief:
            brief.setattr(remote_action, "SILENCE_S", 2.0)
            probe.spin_until(call.result.done, WAIT_S)
        result = call.result.result()
        assert (outcome_name(result), "has died" in result.error_msg) == ("UNREACHABLE", True)
    with endless_module():
        probe.spin_until(lambda: client.is_ready, START_S)
        call = client.run(goal(), lambda feedback: call.cancel())
        probe.spin_until(call.result.done, WAIT_S)
        assert outcome_name(call.result.result()) == "CANCELED"
    client.destroy()


def test_an_inactive_node_ends_its_goals_and_takes_no_more(rig):
    rig.backend.gate.clear()
    began = threading.Event()
    call = rig.client.run(goal(), lambda feedback: began.set())
    rig.probe.spin_until(began.is_set, 20)
    rig.node.executor.create_task(rig.node.trigger_deactivate)
    rig.probe.spin_until(call.result.done, 20)
    assert outcome_name(call.result.result()) == "SHUTDOWN"
    refused = rig.run(goal())
    assert (outcome_name(refused), refused.error_msg) == (
        "UNREACHABLE",
        "the node editing does not take this goal: activate it, or see its log",
    )


def test_a_node_that_is_not_there_is_told(probe, monkeypatch):
    monkeypatch.setattr(remote_action, "SILENCE_S", 0.5)
    client = RemoteAction(probe, RunModule, "segmentation/run", "segmentation")
    call = client.run(goal())
    probe.spin_until(call.result.done, 20)
    assert "segmentation is not there" in call.result.result().error_msg
    client.destroy()


def test_without_max_memory_the_limit_is_the_systems(monkeypatch):
    """A process may not raise its limit above the system's, as in a container that has one."""
    hard = 4096 * MIB
    limits = []

    def set_limit(kind, pair):
        if not 0 <= pair[0] <= hard:
            raise ValueError("current limit exceeds maximum limit")
        limits.append(pair)

    monkeypatch.setattr(resource, "getrlimit", lambda kind: (hard, hard))
    monkeypatch.setattr(resource, "setrlimit", set_limit)
    limit_process(ModuleConfig())
    limit_process(ModuleConfig(max_memory=1024))
    assert limits == [(hard, hard), (1024 * MIB, hard)]
    with pytest.raises(ConfigError, match="allows 4096 MiB at most"):
        limit_process(ModuleConfig(max_memory=4097))
