"""Goals over a recording against its truth: what counts, what the figures are, and what is refused."""

import json
from dataclasses import replace

import numpy as np
import pytest

from tests.evaluation.bag_of_squares import FRAMES, PERIOD_NS, TRUTH, box_of, stamp_ns, true_track, write_bag
from vitron_ros.cli.main import main
from vitron_ros.errors import ConfigError
from vitron_ros.evaluation.bags.figures import figures
from vitron_ros.evaluation.bags.goal_runs import GoalRun
from vitron_ros.recordings.bags import TrueBox
from vitron_ros.streaming.goals import GoalResult, Outcome
from vitron_ros.tracking.track import TrackState

BOX = np.array([10.0, 10, 30, 30])
BOTH = f"goals: [{{box: {box_of(1, 0)}, target: 1}}, {{at: 0.3, box: {box_of(2, 3)}, prompt: two, target: 2}}]"


def true(number=1, box=BOX, visibility=1.0):
    return TrueBox(number, "", np.asarray(box, np.float64), visibility)


def track(number=1, box=BOX, state=TrackState.TRACKED):
    return replace(true_track(number, box), state=state)


def goal_run(truth, published, targets=(1,)):
    return GoalRun(
        number=1,
        phrase="it",
        targets=targets,
        result=GoalResult(outcome=Outcome.OK, message=""),
        sent_ns=0,
        stamps_ns=np.arange(len(truth)) * PERIOD_NS,
        truth=tuple(truth),
        published=tuple(published),
    )


def goal_figures(*arguments, **options):
    return figures([goal_run(*arguments, **options)])["goals"][0]


def vitron(bag, goals, tmp_path, *words):
    (tmp_path / "goals.yaml").write_text(goals)
    return main(["eval", "bag", str(bag), "--goals", str(tmp_path / "goals.yaml"), *words])


@pytest.fixture(scope="module")
def squares(tmp_path_factory):
    return write_bag(tmp_path_factory.mktemp("bags") / "squares")


def test_goals_are_measured_from_when_they_are_sent(squares, tmp_path, capsys):
    outputs = []
    for _ in range(2):
        assert vitron(squares, BOTH, tmp_path, "--json") == 0
        outputs.append(capsys.readouterr().out)
    assert outputs[0] == outputs[1]
    document = json.loads(outputs[0])
    first, second = document["goals"]
    assert [goal["name"] for goal in (first, second)] == ["goal 1", 'goal 2 "two"']
    assert [goal["images"] for goal in (first, second)] == [FRAMES, FRAMES - 3]
    for goal in (first, second):
        assert goal["single"]["visible-frames"]["auc"] > 0.8
        assert goal["single"]["pytracking-otb"]["precision"] == 1
        assert goal["first_track_s"] == 0
        assert (goal["several"]["mota"], goal["several"]["idf1"], goal["switches"]) == (1, 1, 0)
    assert document["all"]["several"]["fn"] == 0


def test_the_table_names_goals_objects_and_variants(squares, tmp_path, capsys):
    assert vitron(squares, BOTH, tmp_path, "--target", "2=1") == 0
    lines = capsys.readouterr().out.splitlines()
    assert "visible-frames" in lines[0]
    assert lines[2].split()[:4] == ["goal", "2", '"two"', "1"]
    assert lines[3].startswith("all")
    assert any(line.startswith("got10k-lasot: auc") for line in lines)


@pytest.mark.parametrize(
    ("goal", "images"),
    [
        ("cancel_at: 0.5", 5),
        ("duration: 0.5", 6),
        ("at: 0.4, cancel_at: 0.7", 3),
    ],
)
def test_a_goal_ends_with_its_duration_or_when_it_is_cancelled(goal, images, squares, tmp_path, capsys):
    start = box_of(1, 4 if "at: 0.4" in goal else 0)
    assert vitron(squares, f"goals: [{{box: {start}, target: 1, {goal}}}]", tmp_path, "--json") == 0
    assert json.loads(capsys.readouterr().out)["goals"][0]["images"] == images


def test_images_after_a_target_was_given_up_count(tmp_path, capsys):
    bag = write_bag(tmp_path / "bag")
    goals = "goals: [{box: [0, 0, 15, 15], target: 1, lost_timeout: 0.1}]"
    assert vitron(bag, goals, tmp_path, "--json") == 0
    goal = json.loads(capsys.readouterr().out)["goals"][0]
    assert goal["images"] == FRAMES
    assert goal["single"]["visible-frames"]["auc"] == 0
    assert goal["first_track_s"] is None


def test_in_an_image_that_cannot_be_decoded_the_box_before_counts(tmp_path, capsys):
    bag = write_bag(tmp_path / "bag", damaged=(4, 5))
    assert vitron(bag, f"goals: [{{box: {box_of(1, 0)}, target: 1}}]", tmp_path, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert [item["index"] for item in document["bad_frames"]] == [4, 5]
    goal = document["goals"][0]
    assert goal["images"] == goal["labelled"] == FRAMES
    assert 0.5 < goal["single"]["visible-frames"]["auc"] < 0.95


def test_images_without_a_message_are_not_scored_and_empty_messages_are(tmp_path, capsys):
    truth = {stamp_ns(index): [true_track(1, box_of(1, index))] for index in (0, 6)} | {stamp_ns(8): []}
    bag = write_bag(tmp_path / "bag", truth=truth)
    assert vitron(bag, f"goals: [{{box: {box_of(1, 0)}, target: 1}}]", tmp_path, "--json") == 0
    goal = json.loads(capsys.readouterr().out)["goals"][0]
    assert (goal["images"], goal["labelled"], goal["visible"]) == (FRAMES, 3, 2)
    assert goal["several"]["fp"] == 1
    assert goal["switches"] is goal["recovered"] is goal["ghosts"] is None, "they need truth for every image"


def test_one_object_by_hand():
    """IoU 1, 0 (nothing yet), 1, and 1/3 from a box that was carried on by half its width; absent in the last image."""
    half = np.add(BOX, [10, 0, 10, 0])
    truth = [(true(),), (true(),), (true(),), (true(),), ()]
    published = [(), (track(),), (track(),), (track(box=half, state=TrackState.PREDICTED),), ()]
    goal = goal_figures(truth, published)
    # above each of 0, 0.05, ..., 1: none, twice 20 thresholds, and 7 for 1/3
    assert goal["single"]["visible-frames"]["auc"] == pytest.approx((0 + 20 + 20 + 7) / 4 / 21, abs=1e-6)
    assert goal["single"]["visible-frames"]["precision"] == pytest.approx(3 / 4)
    assert goal["first_track_s"] == pytest.approx(0.1)
    assert (goal["several"]["fn"], goal["several"]["fp"]) == (2, 1)
    assert goal["several"]["mota"] == pytest.approx(1 / 4)


def test_a_box_that_is_lost_is_not_a_box():
    goal = goal_figures([(true(),)] * 2, [(track(),), (track(state=TrackState.LOST),)])
    assert (goal["several"]["fn"], goal["several"]["fp"]) == (1, 0)


def test_hiding_return_and_ghosts():
    frames, hidden = 40, range(10, 15)
    truth = [(true(visibility=0.0 if index in hidden else 1.0),) for index in range(frames)]
    back = [(track(state=TrackState.LOST if index in hidden else TrackState.TRACKED),) for index in range(frames)]
    goal = goal_figures(truth, back)
    assert (goal["returns"], goal["recovered"], goal["ghosts"], goal["switches"]) == (1, 1, 0, 0)
    goal = goal_figures(truth, [(track(),)] * frames)
    assert goal["ghosts"] == 1
    goal = goal_figures(truth, [*back[:12], *[(track(2),)] * (frames - 12)])
    assert (goal["recovered"], goal["switches"]) == (0, 1)


def test_several_objects_of_one_goal():
    other = np.add(BOX, [50, 0, 50, 0])
    truth = [(true(1), true(2, other), true(3, np.add(other, [0, 50, 0, 50])))] * 3
    goal = goal_figures(truth, [(track(7), track(8, other))] * 3, targets=(1, 2))
    assert goal["single"] is None
    assert (goal["several"]["mota"], goal["several"]["hota"]) == (1, 1)
    swapped = [(track(7), track(8, other)), (track(8), track(7, other)), (track(8), track(7, other))]
    goal = goal_figures(truth, swapped, targets=(1, 2))
    assert goal["several"]["switches"] == 2


def test_a_goal_whose_object_is_in_none_of_its_images_is_refused():
    with pytest.raises(ConfigError, match="goal 1 means object 1, which is in none"):
        figures([goal_run([(true(visibility=0.01),), None], [(), ()])])


START = f"box: {box_of(1, 0)}"


@pytest.mark.parametrize(
    ("goals", "words", "says"),
    [
        (f"goals: [{{{START}}}]", [], "goal 1 does not say which true object it means; write `target: ID`"),
        (f"goals: [{{{START}, target: 9}}]", [], "means object 9, but the truth has only 1, 2"),
        (
            f"goals: [{{{START}, target: 1}}]",
            ["--target", "2=1"],
            "--target speaks of goal 2, but",
        ),
        (f"goals: [{{{START}, target: one}}]", [], "'one' is not a whole number"),
        (f"goals: [{{{START}, target: [1, 1]}}]", [], "a list of different ids"),
        (f"goals: [{{{START}, target: 1, at: 99}}]", [], "goal 1 begins at 99 s, and the recording ends before"),
        (f"goals: [{{{START}, target: 1, at: 0.5, cancel_at: 0.5}}]", [], "it is cancelled at 0.5 s before"),
        (f"goals: [{{{START}, target: 1}}]", ["--truth", "/nothing"], "there is no topic /nothing"),
        (f"goals: [{{{START}, target: 1}}]", ["--truth", "/camera/image_raw/compressed"], "no topic"),
        (f"goals: [{{{START}, target: 1}}]", ["--topic", "/nothing"], "no image topic /nothing"),
    ],
)
def test_what_goals_and_options_do_not_fit_is_one_sentence(goals, words, says, squares, tmp_path, capsys):
    assert vitron(squares, goals, tmp_path, *words) == 1
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("text", ["1", "x=1", "1=", "1=a", "1=1,", "-1=1"])
def test_a_target_is_a_goal_and_ids(text, squares, tmp_path):
    with pytest.raises(SystemExit) as caught:
        vitron(squares, BOTH, tmp_path, f"--target={text}")
    assert caught.value.code == 2


GOOD = true_track(1, [1, 2, 30, 40])
BAD_TRUTH = {
    "a stamp of no image": ({5: [GOOD]}, "no image has that stamp"),
    "no box at all": ({stamp_ns(0): []}, f"{TRUTH} has no true box"),
    "not a number": ({stamp_ns(3): [true_track(1, [np.nan, 2, 3, 4])]}, "object 1 in image 3 is [nan, 2.0, 3.0, 4.0]"),
    "infinite": ({stamp_ns(3): [true_track(1, [1, 2, np.inf, 4])]}, "which is not a box"),
    "no area": ({stamp_ns(3): [true_track(1, [5, 2, 5, 4])]}, "has no area: [5.0, 2.0, 5.0, 4.0]"),
    "a share above 1": ({stamp_ns(3): [true_track(1, [1, 2, 3, 4], 1.5)]}, "has the visibility 1.5"),
    "an id twice": ({stamp_ns(3): [GOOD, GOOD]}, "object 1 is twice in image 3"),
}


@pytest.mark.parametrize("name", BAD_TRUTH)
def test_truth_that_cannot_be_meant_is_refused_by_name(name, tmp_path, capsys):
    truth, says = BAD_TRUTH[name]
    bag = write_bag(tmp_path / "bag", truth=truth)
    assert vitron(bag, f"goals: [{{{START}, target: 1}}]", tmp_path) == 1
    assert says in capsys.readouterr().err


def test_a_bag_that_breaks_off_is_refused(squares, tmp_path, capsys):
    data = (squares / "squares.mcap").read_bytes()
    (tmp_path / "cut.mcap").write_bytes(data[: len(data) // 2])
    assert vitron(tmp_path / "cut.mcap", BOTH, tmp_path) == 1
    assert "cut.mcap" in capsys.readouterr().err
