"""A perception node in its own process into which faults are injected, observed from outside."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from subprocess import Popen

from builtin_interfaces.msg import Duration
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.action.client import ClientGoalHandle
from rclpy.task import Future
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from vitron_msgs.action import Converse, TrackObject

from vitron_ros.errors import SourceError
from vitron_ros.region import Region
from vitron_ros.ros import qos
from vitron_ros.ros.conversions import image_message, ns_from_time, outcome_name, region_message, time_from_ns
from vitron_ros.ros_tools.pattern_camera import CIRCLE_GRID, CIRCLES, circle_pictures, target_boxes
from vitron_ros.ros_tools.probe import Probe
from vitron_ros.ros_tools.process_usage import process_usage
from vitron_ros.ros_tools.soak.report import SoakSample

RATE_HZ = 15.0
LARGE, SMALL = (640, 480), (320, 240)
SAMPLE_S, REST_S = 2.0, 2.0
NODE_TIMEOUT_S = 300.0  # to load its model
END_TIMEOUT_S = 60.0  # for goals that end by themselves or were cancelled
SHOWN = 100  # images of which the time is known


class MovableCamera:
    """Shows circles in the probe's executor. All that is public may be changed while it runs."""

    def __init__(self, client: Probe) -> None:
        self.is_on, self.size, self.offset_ns = True, LARGE, 0
        self.sent = 0
        self.shown_ns: dict[int, int] = {}  # stamp to when it was shown, of the last images
        self._messages = {
            size: [image_message(picture, Header(frame_id="soak")) for picture in circle_pictures(*size)]
            for size in (LARGE, SMALL)
        }
        self._publisher = client.create_publisher(Image, "image", qos.IMAGE["sensor_data"])
        client.create_timer(1 / RATE_HZ, self._show)

    def _show(self) -> None:
        if self.is_on:
            self.sent += 1
            messages = self._messages[self.size]
            self.publish(messages[self.sent % len(messages)])

    def publish(self, message: Image) -> None:
        now_ns = time.time_ns()
        message.header.stamp = time_from_ns(now_ns + self.offset_ns)
        self.shown_ns[now_ns + self.offset_ns] = now_ns
        while len(self.shown_ns) > SHOWN:
            del self.shown_ns[next(iter(self.shown_ns))]
        self._publisher.publish(message)

    def goal(self, number: int = 0, **limits: Duration) -> TrackObject.Goal:
        """To follow one of the circles from its box in the newest image."""
        box = target_boxes(self.sent, len(CIRCLES), *self.size, CIRCLE_GRID)[number % len(CIRCLES)]
        return TrackObject.Goal(region=[region_message(Region.from_box(box))], **limits)


class SoakedNode:
    """Injects faults, counts how goals end, and takes samples. Single-threaded: all happens while the probe spins.

    Attributes:
        outcomes: how often a goal of a fault ended so; (fault, outcome).
        problems: what ended as it must not.
        mapped: every file of /dev/shm that the node was seen to use.
    """

    def __init__(self, node: "Popen[bytes]", client: Probe) -> None:
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self.problems: list[str] = []
        self.samples: list[SoakSample] = []
        self.mapped: set[str] = set()
        self.client = client
        self.camera = MovableCamera(client)
        self._node = node
        self._open: dict[Future, str] = {}
        self._started_s = time.monotonic()
        self._sent = self._skipped = 0

    def run(self, minutes: float, faults: "Sequence[Callable[[SoakedNode], None]]") -> None:
        """Raises SourceError if the node dies, or something that must come does not."""
        self.wait_for_node()
        self._started_s, self._sent = time.monotonic(), self.camera.sent
        self.client.create_timer(SAMPLE_S, self._sample)
        while time.monotonic() - self._started_s < 60 * minutes:
            for fault in faults:
                fault(self)
            self.wait_for_ends()
            self.client.spin_for(REST_S)
            self._sample(at_rest=True)

    def begin(self, fault: str, goal: TrackObject.Goal | Converse.Goal, *allowed: str) -> ClientGoalHandle:
        """Send a goal that must end with one of the allowed outcomes, or be REFUSED where that is allowed."""
        handle = self.client.send(goal) if isinstance(goal, TrackObject.Goal) else self.client.ask(goal)
        if handle.accepted:
            future = handle.get_result_async()
            self._open[future] = fault
            future.add_done_callback(partial(self._end, fault, allowed))
        else:
            self._count(fault, "REFUSED", allowed)
        return handle

    def begin_and_see(self, fault: str, goal: TrackObject.Goal, *allowed: str) -> ClientGoalHandle:
        """As `begin`, until one target more is in the tracks."""
        known = self._ids()
        handle = self.begin(fault, goal, *allowed)
        self.client.spin_until(lambda: bool(self._ids() - known), END_TIMEOUT_S, f"the target of {fault}")
        return handle

    def wait_for_ends(self, *faults: str) -> None:
        """Of the goals of these faults, or of all."""
        self.client.spin_until(
            lambda: not [name for name in self._open.values() if not faults or name in faults],
            END_TIMEOUT_S,
            f"the end of {', '.join(sorted(set(self._open.values())))}",
        )

    def wait_for_node(self) -> None:
        """Wait for its action servers, and for tracks of an image that is shown from now on."""
        client, now_ns, shown_ns = self.client, time.time_ns(), self.camera.shown_ns
        client.spin_until(
            lambda: client.track.server_is_ready() and client.converse.server_is_ready(), NODE_TIMEOUT_S, "the node"
        )
        client.spin_until(
            lambda: any(shown_ns.get(ns_from_time(item.header.stamp), 0) >= now_ns for _, item in client.tracks),
            END_TIMEOUT_S,
            "tracks",
        )

    def change_state(self, transition: int) -> None:
        request = ChangeState.Request(transition=Transition(id=transition))
        if not self.client.call(ChangeState, "perception/change_state", request, NODE_TIMEOUT_S).success:
            raise SourceError(f"the node did not make the transition {transition}")

    def _ids(self) -> set[int]:
        """Of the targets in the newest tracks."""
        return {track.id for _, message in self.client.tracks[-1:] for track in message.tracks}

    def _end(self, fault: str, allowed: Sequence[str], future: Future) -> None:
        del self._open[future]
        self._count(fault, outcome_name(future.result().result), allowed)

    def _count(self, fault: str, outcome: str, allowed: Sequence[str]) -> None:
        self.outcomes[fault, outcome] += 1
        if outcome not in allowed:
            self.problems.append(f"{fault!r} ended with {outcome}")

    def _sample(self, *, at_rest: bool = False) -> None:
        if self._node.poll() is not None:
            raise SourceError(f"the node stopped by itself with exit code {self._node.returncode}")
        usage = process_usage(self._node.pid)
        self.mapped |= usage.shared
        dropped, load_shedding, ages_ns = 0, 0, []
        for arrival_ns, message in self.client.tracks:
            dropped += message.skipped - (self._skipped if message.skipped >= self._skipped else 0)
            self._skipped, load_shedding = message.skipped, max(load_shedding, message.load_shedding)
            shown_ns = self.camera.shown_ns.get(ns_from_time(message.header.stamp))
            ages_ns += [] if shown_ns is None else [arrival_ns - shown_ns]
        self.samples.append(
            SoakSample(
                at_s=time.monotonic() - self._started_s,
                at_rest=at_rest,
                cpu_s=usage.cpu_s,
                resident_mb=usage.resident_mb,
                heap_mb=usage.heap_mb,
                threads=usage.threads,
                files=usage.files,
                shared=len(usage.shared),
                sent=self.camera.sent - self._sent,
                published=len(self.client.tracks),
                dropped=dropped,
                load_shedding=load_shedding,
                ages_ns=tuple(ages_ns),
                goals_open=len(self._open),
            )
        )
        self._sent = self.camera.sent
        for heard in (self.client.tracks, self.client.diagnostics, self.client.events, self.client.feedback):
            heard.clear()
