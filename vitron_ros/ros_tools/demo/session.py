"""The whole way, for real: a bag played by a camera process, over DDS, into a perception process that is commanded."""

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from builtin_interfaces.msg import Duration
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.action.client import ClientGoalHandle
from std_srvs.srv import Trigger
from vitron_msgs.action import Converse, TrackObject
from vitron_msgs.msg import TrackArray, TrackEvent

from vitron_ros.errors import SourceError
from vitron_ros.offline.command_script import Command
from vitron_ros.recordings.bags import read_images
from vitron_ros.recordings.ground_truth import TrueBox, read_ground_truth
from vitron_ros.region import Region
from vitron_ros.ros.conversions import ns_from_time, region_message, time_from_ns
from vitron_ros.ros.transport import transport_environment
from vitron_ros.ros_tools.probe import Probe, node_process, probe

NODE_TIMEOUT_S = 120.0  # for the node to load its model
START_TIMEOUT_S = 180.0  # for the player to come up and find its subscriber, which may export its model first
TAIL_S = 1.0  # for the last tracks to arrive
ANSWER_TIMEOUT_S = 30.0  # for what the model still owes when the bag has ended
MAX_IMAGE_AGE_S = 10.0  # a player that a busy machine holds up is no camera that has stopped
BOX_TIMEOUT = Duration(sec=60)  # for the image on which a box was drawn
VISIBLE = 0.5  # share of a target that must be in sight for its image to count


@dataclass(frozen=True, slots=True, eq=False)
class DemoScene:
    """What the bag holds, and what is commanded.

    Attributes:
        truth: true boxes by the stamp of their image.
        by_box: whether targets are given by their true boxes in the first image, in place of words.
    """

    bag: Path
    stamps_ns: list[int]
    truth: dict[int, tuple[TrueBox, ...]]
    commands: list[Command]
    by_box: bool

    @property
    def duration_s(self) -> float:
        return (self.stamps_ns[-1] - self.stamps_ns[0]) / 1e9

    @property
    def fps(self) -> float:
        return (len(self.stamps_ns) - 1) / self.duration_s

    def true_box(self, target: int | None, stamp_ns: int) -> TrueBox | None:
        """The target in the image of that stamp, if enough of it is in sight to count."""
        boxes = self.truth.get(stamp_ns, ())
        return next((box for box in boxes if box.id == target and box.visibility >= VISIBLE), None)


@dataclass(slots=True, kw_only=True, eq=False)
class CommandRun:
    """A command and what became of it.

    Attributes:
        sent_ns: when it was sent; when its image came, if it was sent ahead of that.
        replied_ns: when its result came; 0: it was refused, or cancelled at the end of the bag.
        result: of the action; None where it was refused.
        refusal: why it was refused.
    """

    command: Command
    sent_ns: int
    replied_ns: int = 0
    result: TrackObject.Result | Converse.Result | None = None
    refusal: str = ""


@dataclass(slots=True, kw_only=True, eq=False)
class DemoRecording:
    """What the probe heard.

    Attributes:
        start_ns: stamp that the bag's first image was given when it was played.
        tracks: by stamp as played: nanoseconds from that stamp to the arrival, and the message.
        exchanges: one a command, in their order.
    """

    start_ns: int
    tracks: dict[int, tuple[int, TrackArray]]
    events: list[TrackEvent]
    diagnostics: list[tuple[int, DiagnosticArray]]
    exchanges: list[CommandRun]

    def played_ns(self, stamp_ns: int, scene: DemoScene) -> int:
        """The stamp that an image of the bag had when it was played."""
        return self.start_ns + stamp_ns - scene.stamps_ns[0]

    def recorded_ns(self, played_ns: int, scene: DemoScene) -> int:
        """The stamp in the bag of an image with that stamp when it was played."""
        return played_ns - self.start_ns + scene.stamps_ns[0]


def read_scene(bag: Path, commands: list[Command] | None, target_count: int = 1) -> DemoScene:
    """The bag with its commands, or else with its first targets that are in sight in the first image.

    Raises:
        SourceError: the bag has fewer than two images, no true boxes, too few targets, or ends before a command.
    """
    stamps_ns = [frame.stamp_ns for frame in read_images(bag)]
    truth = read_ground_truth(bag)
    if len(stamps_ns) < 2:
        raise SourceError(f"{bag} has {len(stamps_ns)} images; the demo needs two or more")
    if commands is None:
        return DemoScene(bag, stamps_ns, truth, _commands_by_box(bag, truth.get(stamps_ns[0], ()), target_count), True)
    scene = DemoScene(bag, stamps_ns, truth, commands, False)
    known = {box.id for boxes in truth.values() for box in boxes}
    for command in commands:
        if command.at_s >= scene.duration_s:
            raise SourceError(f"{bag} ends after {scene.duration_s:.1f} s, before {command.spoken!r} at {command.at_s}")
        if command.target is not None and command.target not in known:
            raise SourceError(f"{bag} has no true boxes of target {command.target} of {command.spoken!r}")
    return scene


def _commands_by_box(bag: Path, boxes: Iterable[TrueBox], count: int) -> list[Command]:
    visible = [box for box in boxes if box.visibility >= VISIBLE]
    if len(visible) < count:
        raise SourceError(f"{bag} shows {len(visible)} targets in its first image, not {count}")
    return [
        Command(at_s=0, kind="track", text=box.label or f"target {box.id}", target=box.id) for box in visible[:count]
    ]


def play(scene: DemoScene, model: str = "", backend: str = "auto") -> DemoRecording:
    """Play the bag into a node of its own, and give each command at its time.

    Both processes get a private ROS domain on this machine, unless the user has chosen one.

    Args:
        model: that the node is to load; empty: none.
        backend: that it runs on.

    Raises:
        SourceError: the node or the player did not come up, or stopped with an error.
    """
    environment = {
        "ROS_DOMAIN_ID": str(60 + os.getpid() % 40),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        **transport_environment(),
    }
    os.environ.update({name: value for name, value in environment.items() if name not in os.environ})
    chosen = {"model": model, "model_backend": backend} if model else {}
    settings = {"max_image_age": MAX_IMAGE_AGE_S, **chosen}
    parameters = ["--ros-args", *chain.from_iterable(("-p", f"{name}:={value}") for name, value in settings.items())]
    with (
        node_process("ros.perception_node", *parameters) as node,
        node_process("ros.bag_player", str(scene.bag), "--wait") as player,
        probe() as client,
    ):
        client.spin_until(
            lambda: node.poll() is not None or client.track.server_is_ready(), NODE_TIMEOUT_S, "the perception node"
        )
        if node.poll() is not None:
            raise SourceError("the perception node stopped with an error; it is printed above")
        if not scene.by_box:
            client.spin_until(client.converse.server_is_ready, NODE_TIMEOUT_S, "the action converse")
        start_ns = int(client.call(Trigger, "bag_player/start", Trigger.Request(), START_TIMEOUT_S).message)
        calls = []
        for command in scene.commands:
            if not scene.by_box:  # a box names its image beforehand, words speak of the present
                due_ns = start_ns + round(command.at_s * 1e9)
                client.spin_until(lambda due=due_ns: time.time_ns() >= due, scene.duration_s + 60, "a command's time")  # type: ignore[misc]
            sent_ns = start_ns if scene.by_box else time.time_ns()
            calls.append(_Call(client, command, _goal(command, scene, start_ns), sent_ns))
        client.spin_until(lambda: player.poll() is not None, scene.duration_s + 60, "the end of the bag")
        client.spin_for(TAIL_S)
        if player.returncode or node.poll() is not None:
            raise SourceError("the player or the node stopped with an error; it is printed above")
        exchanges = [call.end() for call in calls]
        tracks = {}
        for arrival_ns, message in client.tracks:
            stamp_ns = ns_from_time(message.header.stamp)
            tracks[stamp_ns] = (arrival_ns - stamp_ns, message)
        return DemoRecording(
            start_ns=start_ns, tracks=tracks, events=client.events, diagnostics=client.diagnostics, exchanges=exchanges
        )


class _Call:
    """A goal of either action, sent when this is made. The probe is spun while it waits."""

    def __init__(self, client: Probe, command: Command, goal: TrackObject.Goal | Converse.Goal, sent_ns: int) -> None:
        self._client = client
        self._exchange = CommandRun(command=command, sent_ns=sent_ns)
        self._handle: ClientGoalHandle = client.send(goal) if command.kind == "track" else client.ask(goal)
        self._result: Any = None
        self._is_over = False
        if self._handle.accepted:
            self._result = self._handle.get_result_async()
            self._result.add_done_callback(self._note)

    def _note(self, _: Any) -> None:
        if not self._is_over:
            self._exchange.replied_ns = time.time_ns()

    def end(self) -> CommandRun:
        """What became of it; what still runs is cancelled if it is a track, and else awaited."""
        if self._result is None:
            events = self._client.events
            self._exchange.refusal = events[-1].text if events else "no reason was given"
            return self._exchange
        if not self._result.done() and self._exchange.command.kind == "track":
            self._is_over = True
            self._handle.cancel_goal_async()
        self._client.spin_until(self._result.done, ANSWER_TIMEOUT_S, "the result of a goal")
        self._exchange.result = self._result.result().result
        return self._exchange


def _goal(command: Command, scene: DemoScene, start_ns: int) -> TrackObject.Goal | Converse.Goal:
    if command.kind == "ask":
        return Converse.Goal(text=command.text)
    goal = TrackObject.Goal(prompt=command.text)
    box = scene.true_box(command.target, scene.stamps_ns[0]) if scene.by_box else None
    if box is not None:
        goal.region = [region_message(Region.from_box(box.box_xyxy))]
        goal.region_stamp, goal.timeout = time_from_ns(start_ns), BOX_TIMEOUT
    return goal
