"""What a recording is worth, worked by hand."""

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("vitron_msgs", reason="vitron_msgs is not installed")

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from std_msgs.msg import Header
from vitron_msgs.action import Converse, TrackObject
from vitron_msgs.msg import Invocation, Track, TrackArray

from vitron_ros.errors import SourceError
from vitron_ros.module_registry import Module
from vitron_ros.offline.command_script import Command
from vitron_ros.recordings.ground_truth import TrueBox
from vitron_ros.region import Region
from vitron_ros.ros.conversions import region_message, time_from_ns
from vitron_ros.ros_tools.demo.film import panel_at
from vitron_ros.ros_tools.demo.scoring import judge, measure
from vitron_ros.ros_tools.demo.session import CommandRun, DemoRecording, DemoScene, read_scene

pytestmark = pytest.mark.ros

SECOND = 1_000_000_000
FRAMES = 10
STAMPS = [5 * SECOND + index * SECOND // 10 for index in range(FRAMES)]  # in the bag
START = 700 * SECOND  # as played
LATENCY = 20_000_000
BOX = np.array([10.0, 10, 30, 30])
HALF = np.array([10.0, 10, 30, 20])  # IoU 0.5 with BOX
RING = Command(at_s=0.1, kind="track", text="the ring", target=1)
QUESTION = Command(at_s=0.2, kind="ask", text="what is it?", answer="a red ring")
CUT = Command(
    at_s=0.3,
    kind="ask",
    text="cut it out",
    target=1,
    module=Module.IMAGE_SEGMENTATION,
    instruction="segmentation: ring",
)


def played(index: int) -> int:
    return START + STAMPS[index] - STAMPS[0]


def scene(*commands: Command, hidden=(), by_box=False) -> DemoScene:
    truth = {stamp: (TrueBox(1, "ring", BOX, 0.2 if index in hidden else 1.0),) for index, stamp in enumerate(STAMPS)}
    return DemoScene(None, STAMPS, truth, list(commands), by_box)


def recording(*exchanges: CommandRun, boxes=None, ids=None, states=None, missing=(), diagnostics=()) -> DemoRecording:
    """Tracks of the ring in the images that `boxes` names by their number."""
    tracks = {}
    for index in range(FRAMES):
        if index in missing:
            continue
        array = TrackArray(header=Header(stamp=time_from_ns(played(index))))
        if boxes and index in boxes:
            state = (states or {}).get(index, Track.TRACKED)
            number = (ids or {}).get(index, 1)
            array.tracks = [Track(id=number, phrase="the ring", state=state, box=boxes[index].astype(np.float32))]
        tracks[played(index)] = (LATENCY, array)
    return DemoRecording(
        start_ns=START, tracks=tracks, events=[], diagnostics=list(diagnostics), exchanges=list(exchanges)
    )


def tracking(error_code=TrackObject.Result.CANCELED, **result) -> CommandRun:
    return CommandRun(command=RING, sent_ns=played(1), result=TrackObject.Result(error_code=error_code, **result))


def asking(command: Command, error_code=Converse.Result.NONE, invocation=None, **result) -> CommandRun:
    invocations = [] if invocation is None else [invocation]
    answer = Converse.Result(error_code=error_code, invocations=invocations, **result)
    return CommandRun(command=command, sent_ns=played(2), replied_ns=played(4), result=answer)


def cutting(box=BOX, module=Module.IMAGE_SEGMENTATION, instruction="segmentation: ring", index=3) -> Invocation:
    return Invocation(
        header=Header(stamp=time_from_ns(played(index))),
        module=int(module),
        instructions=[instruction],
        region=[] if box is None else [region_message(Region.from_box(box))],
    )


FROM_THREE = dict.fromkeys(range(3, FRAMES), BOX)


def test_a_track_counts_from_its_first_image_on():
    (verdict,) = judge(recording(tracking(), boxes=FROM_THREE), scene(RING))
    assert verdict.is_right and verdict.has_run
    assert verdict.mean_iou() == 1
    assert len(verdict.overlaps) == 7
    assert verdict.seconds == pytest.approx(0.22)  # asked at image 1, the track of image 3 came 20 ms after it
    assert verdict.words == "followed as #1"


def test_a_target_given_by_a_box_counts_from_the_first_image_on():
    (verdict,) = judge(recording(tracking(), boxes=FROM_THREE), scene(RING, by_box=True))
    assert verdict.mean_iou() == pytest.approx(0.7)


@pytest.mark.parametrize(
    ("changed", "mean", "is_right"),
    [
        ({5: HALF}, 6.5 / 7, True),
        (dict.fromkeys(range(3, FRAMES), HALF), 0.5, True),
        (dict.fromkeys(range(3, FRAMES), HALF - np.array([0, 0, 0, 1])), 0.45, False),
        (dict.fromkeys(range(5, FRAMES), None), 2 / 7, False),
    ],
    ids=["half once", "half always", "below half", "gone after two images"],
)
def test_iou_is_over_all_images_and_no_answer_counts_nothing(changed, mean, is_right):
    boxes = {index: box for index, box in (FROM_THREE | changed).items() if box is not None}
    (verdict,) = judge(recording(tracking(), boxes=boxes), scene(RING))
    assert verdict.mean_iou() == pytest.approx(mean)
    assert verdict.is_right is is_right


def test_images_in_which_the_target_hides_do_not_count_and_lost_ones_count_nothing():
    states = {6: Track.LOST, 7: Track.LOST}
    (verdict,) = judge(recording(tracking(), boxes=FROM_THREE, states=states), scene(RING, hidden=(5, 6)))
    assert sorted(verdict.overlaps.values()) == [0, 1, 1, 1, 1]


def test_a_target_that_changes_its_id_is_wrong():
    ids = dict.fromkeys(range(7, FRAMES), 2)
    (verdict,) = judge(recording(tracking(), boxes=FROM_THREE, ids=ids), scene(RING))
    assert verdict.mean_iou() == 1 and not verdict.is_right
    assert verdict.words == "followed as #1, #2"


def test_one_that_is_found_again_is_told():
    (verdict,) = judge(recording(tracking(times_reacquired=1), boxes=FROM_THREE), scene(RING))
    assert verdict.words == "followed as #1, found again once"


@pytest.mark.parametrize(
    ("error_code", "has_run"),
    [
        (TrackObject.Result.CANCELED, True),
        (TrackObject.Result.NOT_FOUND, True),
        (TrackObject.Result.NOT_UNDERSTOOD, True),
        (TrackObject.Result.MODEL_ERROR, False),
        (TrackObject.Result.TIMEOUT, False),
        (TrackObject.Result.INPUT_STALE, False),
        (TrackObject.Result.SHUTDOWN, False),
    ],
)
def test_nothing_found_is_wrong_and_only_what_broke_has_not_run(error_code, has_run):
    (verdict,) = judge(recording(tracking(error_code, error_msg="why")), scene(RING))
    assert verdict.has_run is has_run
    assert not verdict.is_right
    assert verdict.mean_iou() == 0  # from the command on
    assert verdict.seconds is None
    assert verdict.words == ("not found by the end" if error_code == TrackObject.Result.CANCELED else "why")


@pytest.mark.parametrize("command", [RING, QUESTION])
def test_a_refused_command_has_not_run(command):
    (verdict,) = judge(recording(CommandRun(command=command, sent_ns=played(1), refusal="no model")), scene(command))
    assert (verdict.outcome, verdict.has_run, verdict.is_right) == ("REFUSED", False, False)
    assert verdict.words == "refused: no model"


@pytest.mark.parametrize(
    ("reply", "is_right"),
    [("a red ring", True), ("A red  ring.", True), ("a blue ring", False), ("nothing", False), ("", False)],
)
def test_an_answer_must_be_the_one_that_is_right(reply, is_right):
    (verdict,) = judge(recording(asking(QUESTION, reply=reply)), scene(QUESTION))
    assert verdict.is_right is is_right and verdict.has_run
    assert verdict.seconds == pytest.approx(0.2)
    assert verdict.mean_iou() is None


def test_an_invocation_in_place_of_an_answer_is_wrong():
    (verdict,) = judge(recording(asking(QUESTION, reply="a red ring", invocation=cutting())), scene(QUESTION))
    assert not verdict.is_right


@pytest.mark.parametrize(
    ("invocation", "overlap", "is_right"),
    [
        (cutting(), 1, True),
        (cutting(HALF), 0.5, True),
        (cutting(HALF - np.array([0, 0, 0, 2])), 0.4, False),
        (cutting(box=None), 0, False),
        (cutting(module=Module.IMAGE_EDITING), 1, False),
        (cutting(instruction="segmentation: star"), 1, False),
    ],
    ids=["right", "half", "less", "no region", "another module", "another instruction"],
)
def test_an_invocation_is_right_in_module_instruction_and_region(invocation, overlap, is_right):
    (verdict,) = judge(recording(asking(CUT, reply="I will.", invocation=invocation)), scene(CUT))
    assert verdict.mean_iou() == pytest.approx(overlap)
    assert verdict.is_right is is_right and verdict.has_run
    assert verdict.words.startswith('"I will." image ')


def test_words_in_place_of_an_invocation_are_wrong():
    (verdict,) = judge(recording(asking(CUT, reply="There is no ring.")), scene(CUT))
    assert not verdict.is_right and verdict.mean_iou() is None


def test_the_region_is_compared_in_the_image_that_the_reply_speaks_of():
    elsewhere = scene(CUT)
    elsewhere.truth[STAMPS[3]] = (TrueBox(1, "ring", BOX + 100, 1.0),)
    (verdict,) = judge(recording(asking(CUT, invocation=cutting(index=3))), elsewhere)
    assert verdict.mean_iou() == 0
    (verdict,) = judge(recording(asking(CUT, invocation=cutting(index=4))), elsewhere)
    assert verdict.mean_iou() == 1


def diagnostics(**values) -> tuple[int, DiagnosticArray]:
    keys = [KeyValue(key=key, value=value) for key, value in values.items()]
    return played(9), DiagnosticArray(status=[DiagnosticStatus(name="perception: model", values=keys)])


def test_the_figures_of_a_recording():
    heard = recording(
        tracking(),
        asking(QUESTION, reply="a blue ring"),
        boxes=FROM_THREE | {8: HALF},
        missing=(4,),
        states={6: Track.LOST},
        diagnostics=[diagnostics(latency_ms_p50="250.00", latency_ms_p95="300.00", latency_ms_p99="310.00")],
    )
    place = scene(RING, QUESTION)
    figures = measure(heard, place, judge(heard, place))
    assert figures["frames_in"] == 10
    assert figures["frames_dropped"] == 1
    assert figures["frames_tracked"] == 9
    assert figures["frames_seen"] == 8
    assert figures["latency_ms"] == {"p50": 20.0, "p95": 20.0, "p99": 20.0}
    assert figures["model_latency_ms"] == {"p50": 250.0, "p95": 300.0, "p99": 310.0}
    assert figures["mean_iou"] == pytest.approx(4.5 / 7, abs=1e-4)  # image 4 never came, in 6 the target was lost
    assert [item["right"] for item in figures["commands"]] == [True, False]
    assert figures["commands"][1]["reply"] == "a blue ring"


def test_without_a_model_there_is_no_model_latency():
    heard = recording(tracking(), boxes=FROM_THREE)
    place = scene(RING, by_box=True)
    figures = measure(heard, place, judge(heard, place))
    assert figures["model_latency_ms"] is None
    assert figures["frames_tracked"] == 7  # a box is to be followed from the first image on


def test_the_film_tells_no_outcome_before_it_was_known():
    heard = recording(tracking(), asking(QUESTION, reply="a red ring"), boxes=FROM_THREE)
    verdicts = judge(heard, scene(RING, QUESTION))
    statuses = [[row.status for row in panel_at(verdicts, played(index), None, "").commands] for index in range(6)]
    assert statuses == [
        ["waiting", "waiting"],
        ["running", "waiting"],
        ["running", "running"],
        ["running", "running"],  # the track of this image comes 20 ms after it
        ["right", "right"],
        ["right", "right"],
    ]
    assert panel_at(verdicts, played(3), None, "").answer == "thinking ..."
    panel = panel_at(verdicts, played(4), None, "")
    assert (panel.question, panel.answer) == ("what is it?", '"a red ring"')


def test_a_command_that_is_never_answered_stays_open_in_the_film():
    verdicts = judge(recording(tracking()), scene(RING))
    assert panel_at(verdicts, played(9), None, "").commands[0].status == "running"


def test_a_scene_without_the_commanded_target_or_too_short_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "vitron_ros.ros_tools.demo.session.read_images", lambda bag: [type("F", (), {"stamp_ns": s}) for s in STAMPS]
    )
    monkeypatch.setattr("vitron_ros.ros_tools.demo.session.read_ground_truth", lambda bag: scene().truth)
    with pytest.raises(SourceError, match="no true boxes of target 9 of 'track the cup'"):
        read_scene(tmp_path, [Command(at_s=0.1, kind="track", text="the cup", target=9)])
    with pytest.raises(SourceError, match=r"ends after 0\.9 s, before 'what is it"):
        read_scene(tmp_path, [Command(at_s=0.9, kind="ask", text="what is it?", answer="a cup")])
    with pytest.raises(SourceError, match="shows 1 targets in its first image, not 2"):
        read_scene(tmp_path, None, 2)
