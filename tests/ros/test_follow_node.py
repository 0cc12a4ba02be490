"""A simulated robot, perception and the node follow over real DDS, in simulated time that waits for the nodes."""

import os
import signal
import subprocess
import sys
import time
from functools import partial

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("vitron_msgs", reason="vitron_msgs is not installed")

import rclpy
from geometry_msgs.msg import Point, Quaternion, TwistStamped
from rclpy.action import ActionClient
from rclpy.executors import SingleThreadedExecutor
from std_msgs.msg import Header
from std_srvs.srv import Trigger
from vitron_msgs.action import TrackObject
from vitron_msgs.msg import Track3D, Track3DArray

from tests.ros.rig import running, running_node
from vitron_ros.clock import SECOND_NS
from vitron_ros.following.controller import STOP, Standstill, Velocity
from vitron_ros.region import Region
from vitron_ros.ros import clock_watch, qos, remote_action
from vitron_ros.ros.conversions import ns_from_time, region_message
from vitron_ros.ros.follow_node import FollowNode, place_of
from vitron_ros.ros_tools.robot_simulation import RobotSimulation
from vitron_ros.simulation.walk import CAMERA_PERIOD_NS, MUG, TARGET_PHRASE, Walk, mug_place

pytestmark = pytest.mark.ros
ANSWER_S = 20.0
STOP_NS = 300_000_000


class Field:
    """The simulated robot and a client of the node follow; time stands still until `step` lets it go on.

    Attributes:
        node: the node follow, which `step` waits for while it has a goal; None: there is none, or it is not waited for.
        placed_ns, decided_ns: stamps of the tracks in space that have come here, and that the node follow has acted on.
    """

    def __init__(self, walk):
        rclpy.init(args=[])
        self.robot = RobotSimulation(walk)
        self.walk = walk
        self.shot = self.node = None
        self.placed_ns, self.decided_ns = [], []
        self.stamped = []
        self.robot.create_subscription(Track3DArray, "tracks_3d", self._on_tracks, qos.TRACKS)
        self.robot.create_subscription(TwistStamped, "cmd_vel_stamped", self._on_stamped, qos.COMMAND_VELOCITY)
        self.follow = ActionClient(self.robot, TrackObject, "follow", **qos.GOAL_SERVICES)
        self.stop = self.robot.create_client(Trigger, "follow/stop")
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.robot)

    def _on_stamped(self, message):
        self.stamped.append(message)
        self.walk.robot.command = Velocity(message.twist.linear.x, message.twist.angular.z)

    def _on_tracks(self, message):
        self.placed_ns.append(ns_from_time(message.header.stamp))

    def spin_until(self, condition, timeout_s=ANSWER_S, tick=lambda: None):
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, "the condition never came true"
            self._executor.spin_once(timeout_sec=0.01)
            tick()

    def spin_for(self, duration_s):
        deadline = time.monotonic() + duration_s
        while time.monotonic() < deadline:
            self._executor.spin_once(timeout_sec=0.005)

    def step(self, *, is_answered=True):
        """The next image; perception, the node follow and the robot, which does what that says, are waited for."""
        self.robot.advance(CAMERA_PERIOD_NS)
        self.shot = self.robot.shoot()
        if is_answered:
            self.spin_until(lambda: self.walk.time_ns in self.placed_ns)
        self.spin_for(0.02)
        self.spin_until(lambda: self._is_driven(is_answered=is_answered), tick=lambda: self.robot.advance(0))

    def _is_driven(self, *, is_answered):
        if self.node is None or not self.node._action.open:
            return True
        controller, time_ns = self.node.controller, self.walk.time_ns
        has_decided = controller._stepped_ns == time_ns and (time_ns in self.decided_ns or not is_answered)
        return has_decided and self.walk.robot.command == controller._velocity

    def connect(self):
        """Until perception answers images and the node follow takes goals."""

        def show():
            self.robot.advance(CAMERA_PERIOD_NS)
            self.shot = self.robot.shoot()
            self.spin_for(0.05)

        self.spin_until(lambda: self.placed_ns and self.follow.server_is_ready(), 60, show)
        self.spin_for(remote_action.SETTLE_S)

    def send(self, goal):
        future = self.follow.send_goal_async(goal)
        self.spin_until(future.done)
        return future.result()

    def box_goal(self, **fields):
        """For the mug where it is in the newest image."""
        rows, columns = np.nonzero(self.shot.view.instances == MUG + 1)
        box = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        return TrackObject.Goal(region=[region_message(Region.from_box(np.array(box, np.float64)))], **fields)

    def result(self, handle):
        future = handle.get_result_async()
        self.spin_until(future.done, tick=lambda: self.robot.advance(SECOND_NS // 100))
        return future.result().result

    def drive(self, until, steps=60):
        """Step until the robot does something; the number of steps."""
        for number in range(steps):
            if until():
                return number
            self.step()
        raise AssertionError("the robot never did that")

    def close(self):
        self._executor.shutdown()
        self.follow.destroy()
        self.robot.destroy_node()
        rclpy.shutdown()


def test_the_mug_of_the_simulation_waits_until_the_robot_moves():
    rclpy.init(args=[])
    robot = RobotSimulation(Walk(), is_waiting=True)
    robot.advance(60 * SECOND_NS)
    assert robot.shoot().target == mug_place(0)
    robot.walk.robot.command = Velocity(0.2, 0.0)
    robot.advance(5 * SECOND_NS)
    robot.walk.robot.command = STOP
    robot.advance(5 * SECOND_NS)
    assert robot.shoot().target == mug_place(10)
    robot.destroy_node()
    rclpy.shutdown()


TURNED = Quaternion(x=-0.5, y=0.5, z=-0.5, w=0.5)  # from the optical axes to those of a robot


@pytest.mark.parametrize(
    ("frame_id", "rotation", "ahead"),
    [
        ("camera_optical_frame", Quaternion(), (3.0, -1.0, -2.0)),
        ("base_link", TURNED, (1.0, 2.0, 3.0)),
        ("odom", TURNED, None),
    ],
)
def test_a_robot_goes_by_positions_of_its_camera_or_of_itself_alone(frame_id, rotation, ahead):
    track = Track3D(position=Point(x=1.0, y=2.0, z=3.0), covariance=np.diag([1.0, 4.0, 9.0]).ravel())
    place = place_of(track, Track3DArray(header=Header(frame_id=frame_id), rotation=rotation), "base_link")
    if ahead is None:
        assert place is None
    else:
        assert np.allclose(place[0], ahead) and np.allclose(np.diag(place[1]), np.square(ahead))


@pytest.fixture
def field(monkeypatch):
    made = Field(Walk(has_crossing=False))
    act = FollowNode._on_tracks

    def on_tracks(node, camera, message):
        act(node, camera, message)
        made.decided_ns.append(ns_from_time(message.header.stamp))

    monkeypatch.setattr(FollowNode, "_on_tracks", on_tracks)
    yield made
    made.close()


@pytest.fixture
def perception():
    with running_node(publish_3d=True, use_sim_time=True, feedback_rate=1000.0) as node:
        yield node


@pytest.fixture
def follow(field):
    with running(FollowNode, use_sim_time=True, feedback_rate=1000.0) as node:
        field.node = node
        yield node


def moves(field):
    return field.walk.robot.command.linear > 0.2


def start(field):
    """The handle of a goal for which the robot drives."""
    handle = field.send(field.box_goal())
    assert handle.accepted
    field.spin_until(
        lambda: any(goal.remote and goal.remote._is_followed for goal in list(field.node._action.open.values()))
    )
    field.drive(partial(moves, field))
    return handle


def stand(field, since_ns, *, is_answered=True):
    """Step until the robot is told to stand, which must be within `STOP_NS` of simulated time."""
    while field.walk.robot.command != STOP:
        assert field.walk.time_ns + CAMERA_PERIOD_NS - since_ns <= STOP_NS, "the robot goes on"
        field.step(is_answered=is_answered)


def test_the_robot_moves_for_its_goal_alone_and_stops_however_that_ends(field, perception, follow):
    field.connect()
    for _ in range(3):
        field.step()
    assert field.robot.commands == [], "there is no goal yet"

    handle = start(field)
    assert not field.send(field.box_goal()).accepted, "it follows something already"
    handle.cancel_goal_async()
    assert field.result(handle).error_code == TrackObject.Result.CANCELED
    field.spin_until(lambda: field.walk.robot.command == STOP)
    count = len(field.robot.commands)
    for _ in range(10):
        field.step()
    assert len(field.robot.commands) <= count + 1, "without a goal the topic is somebody else's"

    handle = start(field)
    field.spin_until(field.stop.service_is_ready)
    future = field.stop.call_async(Trigger.Request())
    field.spin_until(future.done)
    assert future.result().success
    field.spin_until(lambda: field.walk.robot.command == STOP)
    assert field.result(handle).error_code == TrackObject.Result.CANCELED

    handle = start(field)
    follow.executor.create_task(follow.trigger_deactivate)
    field.spin_until(lambda: field.walk.robot.command == STOP)
    assert field.result(handle).error_code == TrackObject.Result.SHUTDOWN
    assert not field.send(field.box_goal()).accepted


def test_the_late_end_of_a_stopped_goal_at_perception_does_not_stop_the_next_goal(
    field, perception, follow, monkeypatch
):
    field.connect()
    start(field)
    held = []
    with monkeypatch.context() as patch:
        patch.setattr(remote_action.RemoteGoal, "cancel", lambda goal: held.append(goal))
        field.spin_until(field.stop.service_is_ready)
        field.spin_until(field.stop.call_async(Trigger.Request()).done)
    field.spin_until(lambda: field.walk.robot.command == STOP)
    handle = start(field)
    follow.executor.create_task(held[0].cancel)
    field.drive(held[0].result.done)
    for _ in range(5):
        field.step()
        assert field.walk.robot.command != STOP
    handle.cancel_goal_async()
    field.result(handle)


def test_the_robot_stops_within_0_3_s_when_its_target_is_gone(field, perception, follow):
    field.connect()
    handle = start(field)
    gone_ns, field.walk.vanishes_s = field.walk.time_ns, field.walk.time_s
    stand(field, gone_ns)
    for _ in range(10):
        field.step()
        assert field.walk.robot.command == STOP
    handle.cancel_goal_async()
    field.result(handle)


def test_the_robot_stops_when_its_clock_does(field, perception, follow, monkeypatch):
    field.connect()
    handle = start(field)
    monkeypatch.setattr(clock_watch, "PATIENCE_S", 0.3)
    field.spin_until(lambda: field.walk.robot.command == STOP)
    assert follow.controller.standstill is Standstill.CLOCK
    handle.cancel_goal_async()
    field.result(handle)


def test_commands_may_be_stamped(field, perception):
    names = ["--ros-args", "-r", "cmd_vel:=cmd_vel_stamped"]
    with running(
        partial(FollowNode, cli_args=names),
        use_sim_time=True, feedback_rate=1000.0, command_type="TwistStamped", base_frame="base"
    ) as field.node:  # fmt: skip
        field.connect()
        handle = field.send(field.box_goal())
        field.drive(lambda: field.stamped and field.stamped[-1].twist.linear.x > 0)
        assert field.stamped[-1].header.frame_id == "base"
        assert 0 <= field.walk.time_ns - ns_from_time(field.stamped[-1].header.stamp) <= SECOND_NS
        handle.cancel_goal_async()
        field.result(handle)


def test_goals_that_cannot_be_are_rejected_and_without_perception_they_end_unreachable(field, follow, monkeypatch):
    monkeypatch.setattr(remote_action, "SILENCE_S", 0.5)
    field.robot.advance(CAMERA_PERIOD_NS)
    field.spin_until(field.follow.server_is_ready)
    field.spin_for(remote_action.SETTLE_S)
    assert not field.send(TrackObject.Goal()).accepted
    assert not field.send(TrackObject.Goal(prompt=TARGET_PHRASE, camera="rear")).accepted
    result = field.result(field.send(TrackObject.Goal(prompt=TARGET_PHRASE)))
    assert result.error_code == TrackObject.Result.UNREACHABLE
    assert "perception is not there" in result.error_msg
    assert {velocity for _, velocity in field.robot.commands} <= {STOP}


def test_the_phrase_is_followed_at_its_distance_and_kill_9_of_perception_stops_the_robot(field, follow, monkeypatch):
    command = [sys.executable, "-m", "tests.ros.colour_model", "--ros-args", "-p", "publish_3d:=true"]
    settings = ["-p", "use_sim_time:=true", "-p", "model:=colours", "-p", "feedback_rate:=1000.0"]
    perception = subprocess.Popen([*command, *settings], env=dict(os.environ))
    try:
        field.connect()
        handle = field.send(TrackObject.Goal(prompt=TARGET_PHRASE))
        assert handle.accepted
        field.drive(lambda: moves(field) and field.shot.distance < 1.7, steps=150)
        distances = []
        for _ in range(30):
            field.step()
            distances.append(field.shot.distance)
        assert max(abs(np.array(distances) - 1.5)) <= 0.2
        assert field.walk.robot.command != STOP
        perception.send_signal(signal.SIGKILL)
        perception.wait()
        stand(field, field.walk.time_ns, is_answered=False)
        monkeypatch.setattr(remote_action, "SILENCE_S", 2.0)
        assert field.result(handle).error_code == TrackObject.Result.UNREACHABLE
    finally:
        perception.kill()
        perception.wait()
