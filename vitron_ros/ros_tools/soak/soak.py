"""Trouble for a perception node with `vitron-tiny`, again and again, and the report of what it leaked."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from builtin_interfaces.msg import Duration
from lifecycle_msgs.msg import Transition
from sensor_msgs.msg import Image
from std_srvs.srv import Trigger
from vitron_msgs.action import Converse, TrackObject

from vitron_ros.errors import SourceError
from vitron_ros.recordings.output import make_folder
from vitron_ros.region import Region
from vitron_ros.ros.conversions import region_message
from vitron_ros.ros.stale_shared_memory import stale_segments
from vitron_ros.ros_tools.probe import node_process, probe, use_private_domain
from vitron_ros.ros_tools.process_usage import machine
from vitron_ros.ros_tools.soak.node_under_test import LARGE, NODE_TIMEOUT_S, SMALL, SoakedNode
from vitron_ros.ros_tools.soak.report import broken_rules, page

PROMPT, QUESTION = "the red circle", "how many circles are there?"
CROWD = 20  # goals at once, of which the node takes on 16
JUMP_NS = 5_000_000_000
PAUSE_S = 2.5  # of the camera; the node calls it stale after 1 s


def boxes(soaked: SoakedNode) -> None:
    handles = [soaked.begin("four boxes, cancelled", soaked.camera.goal(number), "CANCELED") for number in range(4)]
    soaked.begin("a box for 1 s", soaked.camera.goal(duration=Duration(sec=1)), "OK")
    soaked.client.spin_for(2.0)
    for handle in handles:
        handle.cancel_goal_async()


def crowd(soaked: SoakedNode) -> None:
    name = f"{CROWD} boxes at once, cancelled at once"
    for number in range(CROWD):
        soaked.begin(name, soaked.camera.goal(number), "CANCELED", "OVERLOADED").cancel_goal_async()


def prompts(soaked: SoakedNode) -> None:
    soaked.begin("a prompt for 1 s", TrackObject.Goal(prompt=PROMPT, duration=Duration(sec=1)), "OK", "NOT_FOUND")
    for delay_s in (0.0, 0.3, 2.0):
        name = f"a prompt, cancelled after {delay_s:g} s"
        handle = soaked.begin(name, TrackObject.Goal(prompt=PROMPT), "CANCELED")
        soaked.client.spin_for(delay_s)
        handle.cancel_goal_async()


def questions(soaked: SoakedNode) -> None:
    for text in (QUESTION, "cut out the red circle"):
        soaked.begin("questions", Converse.Goal(text=text, conversation_id="soak"), "OK", "UNSURE", "MODEL_ERROR")
    soaked.begin("a question, cancelled at once", Converse.Goal(text=QUESTION), "CANCELED", "OK").cancel_goal_async()
    soaked.begin("a question for 2 s", Converse.Goal(text=QUESTION, standing=True, duration=Duration(sec=2)), "OK")
    standing = soaked.begin("a standing question, cancelled", Converse.Goal(text=QUESTION, standing=True), "CANCELED")
    soaked.client.spin_for(2.0)
    standing.cancel_goal_async()
    soaked.wait_for_ends()


def nonsense(soaked: SoakedNode) -> None:
    far = region_message(Region.from_box((9000.0, 9000.0, 9100.0, 9100.0)))
    soaked.begin("nothing to follow", TrackObject.Goal(), "REFUSED")
    soaked.begin("a camera that is not there", TrackObject.Goal(prompt=PROMPT, camera="none"), "REFUSED")
    soaked.begin("a box outside the image", TrackObject.Goal(region=[far]), "BAD_REGION")
    soaked.begin("unknown words", TrackObject.Goal(prompt="the quick brown flux capacitor"), "NOT_UNDERSTOOD")
    soaked.begin("an empty question", Converse.Goal(), "REFUSED")
    for _ in range(5):
        soaked.camera.publish(Image(width=640, height=480, encoding="nonsense"))
    soaked.wait_for_ends()


def pause(soaked: SoakedNode) -> None:
    handles = [
        soaked.begin("a box while the camera pauses", soaked.camera.goal(), "CANCELED"),
        soaked.begin("a prompt while the camera pauses", TrackObject.Goal(prompt=PROMPT), "CANCELED"),
        soaked.begin(
            "a standing question while the camera pauses", Converse.Goal(text=QUESTION, standing=True), "CANCELED"
        ),
    ]
    soaked.client.spin_for(1.0)
    soaked.camera.is_on = False
    soaked.client.spin_for(PAUSE_S)
    soaked.begin("a question in the pause", Converse.Goal(text=QUESTION), "INPUT_STALE")
    soaked.wait_for_ends("a question in the pause")
    soaked.camera.is_on = True
    soaked.wait_for_node()
    for handle in handles:
        handle.cancel_goal_async()


def resize(soaked: SoakedNode) -> None:
    for size in (SMALL, LARGE):
        soaked.begin_and_see("a box while the image changes size", soaked.camera.goal(), "LOST")
        prompt = TrackObject.Goal(prompt=PROMPT)  # lost if it was found by then
        handle = soaked.begin("a prompt while the image changes size", prompt, "CANCELED", "LOST")
        soaked.client.spin_for(0.5)
        soaked.camera.size = size
        soaked.client.spin_for(1.0)
        handle.cancel_goal_async()
    soaked.wait_for_ends()


def jump(soaked: SoakedNode) -> None:
    soaked.begin_and_see("a box while the time jumps back", soaked.camera.goal(), "LOST")
    soaked.client.spin_for(1.0)
    soaked.camera.offset_ns -= JUMP_NS
    soaked.wait_for_ends()
    handle = soaked.begin_and_see("a box while the time jumps forward", soaked.camera.goal(), "CANCELED")
    soaked.client.spin_for(0.5)
    soaked.camera.offset_ns += JUMP_NS
    soaked.client.spin_for(1.0)
    handle.cancel_goal_async()


def reset(soaked: SoakedNode) -> None:
    soaked.begin("a box and a reset", soaked.camera.goal(), "CANCELED")
    soaked.begin("a prompt and a reset", TrackObject.Goal(prompt=PROMPT), "CANCELED")
    soaked.client.call(Trigger, "perception/reset", Trigger.Request())
    soaked.wait_for_ends()


def leave(soaked: SoakedNode, *transitions: int) -> None:
    """Take the node through transitions in the midst of goals, and back to active."""
    soaked.begin("a box and a deactivation", soaked.camera.goal(), "SHUTDOWN")
    soaked.begin("a prompt and a deactivation", TrackObject.Goal(prompt=PROMPT), "SHUTDOWN")
    soaked.begin("a standing question and a deactivation", Converse.Goal(text=QUESTION, standing=True), "SHUTDOWN")
    soaked.client.spin_for(0.5)
    soaked.change_state(Transition.TRANSITION_DEACTIVATE)
    soaked.wait_for_ends()
    soaked.begin("a box while inactive", soaked.camera.goal(), "REFUSED")
    for transition in (*transitions, Transition.TRANSITION_ACTIVATE):
        soaked.change_state(transition)
    soaked.wait_for_node()


def reload(soaked: SoakedNode) -> None:
    leave(soaked, Transition.TRANSITION_CLEANUP, Transition.TRANSITION_CONFIGURE)


FAULTS: tuple[Callable[[SoakedNode], None], ...] = (
    boxes,
    crowd,
    prompts,
    questions,
    nonsense,
    pause,
    resize,
    jump,
    reset,
    leave,
    reload,
)


def run(minutes: float, report: Path | None, faults: Sequence[Callable[[SoakedNode], None]] = FAULTS) -> int:
    """Print the report and write it; exit code 1 if the rule is broken."""
    if report is not None:
        make_folder(report.parent)
    use_private_domain()
    place = machine()
    with node_process("ros.perception_node", "--ros-args", "-p", "model:=vitron-tiny") as node, probe() as client:
        client.wait_for_node(NODE_TIMEOUT_S)
        soaked = SoakedNode(node, client)
        try:
            soaked.run(minutes, faults)
        except SourceError as error:
            soaked.problems.append(f"it stopped early: {error}")
    if node.returncode:
        soaked.problems.append(f"the node left with exit code {node.returncode}")
    left = soaked.mapped.intersection(map(str, stale_segments()))
    if left:
        soaked.problems.append(f"segments left in /dev/shm: {len(left)}")
    broken = broken_rules(soaked.samples, list(dict.fromkeys(soaked.problems)))
    words = f"vitron bench soak --minutes {minutes:g}" + (f" --report {report}" if report else "")
    text = page(words, place, soaked.samples, soaked.outcomes, broken)
    print(text)
    if report is not None:
        report.write_text(text, encoding="utf-8")
    return 1 if broken else os.EX_OK
