"""Whether perception stalls while an expert module works: the age of its boxes, over real DDS between real processes.

One perception node follows a square of a 640x480 camera at 15 Hz. Beside it are the nodes segmentation, editing and
generation. In turn, round after round, all of them rest, or one of them does one goal after the other. The age of a box
is from its image's stamp to the arrival of its tracks; the ratios are to the rounds in which all rest. The last line is
JSON.
"""

import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from vitron_msgs.action import RunModule
from vitron_msgs.msg import Invocation, TrackArray

from vitron_ros.errors import SourceError
from vitron_ros.module_registry import Module, Node
from vitron_ros.recordings.video_writer import VideoWriter
from vitron_ros.region import Region
from vitron_ros.ros.conversions import ns_from_time, outcome_name, region_message
from vitron_ros.ros.remote_action import RemoteAction
from vitron_ros.ros_tools.bench.cameras import HEIGHT, RATE_HZ, WIDTH, stream_figures
from vitron_ros.ros_tools.bench.stream import POINTS, followed_streams, heard_meanwhile
from vitron_ros.ros_tools.markdown import row, table
from vitron_ros.ros_tools.pattern_camera import pictures, target_boxes
from vitron_ros.ros_tools.probe import Probe, node_process, use_private_domain
from vitron_ros.ros_tools.process_usage import machine
from vitron_ros.streaming.statistics import percentiles_ms

CLIP = 24  # images of a goal
FILM = "clip.mp4"
GOALS: dict[Node, tuple[Module, str]] = {
    "segmentation": (Module.VIDEO_SEGMENTATION, "segmentation: the square"),
    "editing": (Module.VIDEO_EDITING, "remove: the square"),
    "generation": (Module.VIDEO_GENERATION, "generate: a red ball moves right"),
}
NODES = tuple(GOALS)
START_TIMEOUT_S = 60.0
GOAL_TIMEOUT_S = 300.0
TABLE = (
    ("module at work", "module"),
    ("goals done", "goals"),
    ("processed", "processed"),
    ("dropped", "dropped"),
    ("lost", "lost"),
    ("age p50", "age_ms_p50"),
    ("p95", "age_ms_p95"),
    ("p99 ms", "age_ms_p99"),
    ("p99 ratio", "p99_ratio"),
)

Arrivals = list[tuple[int, TrackArray]]


def run(duration_s: float, rounds: int) -> int:
    """Print a table as Markdown, then one line of JSON."""
    use_private_domain()
    place = machine()
    rows = measure(duration_s, rounds)
    print(table((name for name, _ in TABLE), ()))
    for figures in rows:
        print(row(figures[key] for _, key in TABLE))
    print(json.dumps({"machine": place, "seconds": duration_s, "rounds": rounds, "rows": rows}))
    return os.EX_OK


def measure(duration_s: float, rounds: int) -> list[dict[str, Any]]:
    """The figures of each state, the one of rest first.

    Raises:
        SourceError: a node was not there in time, or a goal failed.
    """
    rest: list[Arrivals] = []
    working: dict[Node, list[Arrivals]] = {name: [] for name in NODES}
    done = dict.fromkeys(NODES, 0)
    with ExitStack() as stack:
        _, client = stack.enter_context(followed_streams(("",), WIDTH, HEIGHT, rate=RATE_HZ))
        modules = {name: stack.enter_context(_module(client, name)) for name in NODES}
        for _ in range(rounds):
            rest.append(heard_meanwhile(client, lambda: client.spin_for(duration_s)))
            for name, module in modules.items():
                before = module.done
                working[name].append(heard_meanwhile(client, lambda module=module: module.work(duration_s)))  # type: ignore[misc]
                done[name] += module.done - before
    rows = [{"module": "none", "goals": 0, **_figures(rest)}]
    rows += [{"module": name, "goals": done[name], **_figures(working[name])} for name in NODES]
    return [{**each, "p99_ratio": round(each["age_ms_p99"] / rows[0]["age_ms_p99"], 2)} for each in rows]


class _BusyModule:
    """A module's node that does one goal after the other, on a film and into files: nothing large is sent.

    Attributes:
        done: goals that it has done.
    """

    def __init__(self, client: Probe, module: RemoteAction, name: Node) -> None:
        self.done = 0
        self._client, self._module, self._name = client, module, name

    def work(self, duration_s: float) -> None:
        """For so long, or until its first goal is done.

        Raises:
            SourceError: a goal fails.
        """
        end_s, before = time.monotonic() + duration_s, self.done
        while (left_s := end_s - time.monotonic()) > 0 or self.done == before:
            call = self._module.run(self._goal())
            with suppress(SourceError):
                self._client.spin_until(call.result.done, GOAL_TIMEOUT_S if self.done == before else left_s)
            if not call.result.done():
                call.cancel()
                self._client.spin_until(call.result.done, GOAL_TIMEOUT_S, "the end of a goal")
            result = call.result.result()
            if result.error_code not in (result.NONE, result.CANCELED):
                raise SourceError(f"a goal of {self._name} ended with {outcome_name(result)}: {result.error_msg}")
            self.done += result.error_code == result.NONE

    def _goal(self) -> RunModule.Goal:
        module, said = GOALS[self._name]
        invocation = Invocation(module=int(module), instructions=[said])
        goal = RunModule.Goal(invocation=invocation, output=f"goal{self.done}", files_only=True)
        if self._name == "generation":
            goal.width, goal.height, goal.frame_count = WIDTH, HEIGHT, CLIP
        else:
            box = target_boxes(0, 1, WIDTH, HEIGHT)[0]
            invocation.region, goal.input = [region_message(Region.from_box(box))], FILM
        return goal


@contextmanager
def _module(client: Probe, name: Node) -> Iterator[_BusyModule]:
    """A module's node in a process of its own, with a film of the camera's pictures and a folder for results."""
    with TemporaryDirectory() as folder, ExitStack() as stack:
        with VideoWriter(Path(folder, FILM), RATE_HZ, (WIDTH, HEIGHT)) as writer:
            for index, picture in enumerate(pictures(1, WIDTH, HEIGHT)[:CLIP]):
                writer.write(picture, round(index * 1e9 / RATE_HZ))
        folders = ["-p", f"input_folder:={folder}", "-p", f"output_folder:={folder}", "-p", "min_free_disk:=0"]
        stack.enter_context(node_process("ros.module_node", name, "--ros-args", *folders))
        module = RemoteAction(client, RunModule, f"{name}/run", name)
        stack.callback(module.destroy)
        client.spin_until(lambda: module.is_ready, START_TIMEOUT_S, f"the node {name}")
        yield _BusyModule(client, module, name)


def _figures(rounds: Sequence[Arrivals]) -> dict[str, Any]:
    """Counts over all rounds, and the ages of all their boxes together."""
    each = [stream_figures(arrivals, RATE_HZ) for arrivals in rounds]
    counts = {name: sum(figures[name] for figures in each) for name in ("processed", "dropped", "lost")}
    ages_ns = [at_ns - ns_from_time(message.header.stamp) for arrivals in rounds for at_ns, message in arrivals]
    ages = {f"age_ms_{point}": round(value, 1) for point, value in zip(POINTS, percentiles_ms(ages_ns), strict=True)}
    return {**counts, **ages}
