"""Goals over a recording against its truth: what counts, what the figures are, and what is refused."""

import json
from dataclasses import replace

import numpy as np
import pytest

from tests.evaluation.bag_of_squares import FRAMES, PERIOD_NS, TRUTH, box_of, stamp_ns, true_track, write_bag
from vitron_ros.cli.main import main
from vitron_ros.errors import ConfigError
from vitron_ros.evaluation.bags.baseline import fallen, shares
from vitron_ros.evaluation.bags.figures import figures
from vitron_ros.evaluation.bags.goal_runs import BagRun, GoalRun
from vitron_ros.evaluation.bags.truth import targets_of
from vitron_ros.offline.goal_script import ScriptedGoal
from vitron_ros.recordings import bag_messages
from vitron_ros.recordings.bag_writer import BagWriter
from vitron_ros.recordings.bags import Bag
from vitron_ros.recordings.ground_truth import TrueBox, read_ground_truth
from vitron_ros.streaming.goals import GoalResult, Outcome, TrackRequest
from vitron_ros.tracking.track import TrackState

BOX = np.array([10.0, 10, 30, 30])
BOTH = f"goals: [{{box: {box_of(1, 0)}, target: 1}}, {{at: 0.3, box: {box_of(2, 3)}, prompt: two, target: 2}}]"


def true(number=1, box=BOX, visibility=1.0):
    return TrueBox(number, "", np.asarray(box, np.float64), visibility)


def track(number=1, box=BOX, state=TrackState.TRACKED):
    return replace(true_track(number, box), state=state)


def goal_run(truth, published, targets=(1,), late_ns=0):
    return GoalRun(
        number=1,
        phrase="it",
        targets=targets,
        result=GoalResult(outcome=Outcome.OK, message=""),
        sent_ns=0,
        images=np.arange(len(truth)),
        stamps_ns=np.arange(len(truth)) * PERIOD_NS,
        truth=tuple(truth),
        published=tuple(published),
        published_ns=tuple(index * PERIOD_NS + late_ns for index in range(len(truth))),
    )


def all_figures(*arguments, **options):
    return figures(BagRun(goals=(goal_run(*arguments, **options),), images={}, dropped=0))


def goal_figures(*arguments, **options):
    return all_figures(*arguments, **options)["goals"][0]


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


@pytest.mark.parametrize("truth", [[(true(visibility=0.01),), None], [(true(2),), ()], [None, None]])
def test_a_goal_whose_object_is_in_none_of_its_images_is_refused(truth):
    with pytest.raises(ConfigError, match="goal 1 means object 1, which none of its labelled images shows"):
        all_figures(truth, [(), ()])


def test_one_image_is_enough():
    goal = goal_figures([(true(),)], [(track(),)], late_ns=1)
    assert goal["single"]["visible-frames"]["precision"] == goal["several"]["mota"] == 1
    assert goal["switches"] is goal["streaming"] is None, "they need the time between two images"


START = f"box: {box_of(1, 0)}"


@pytest.mark.parametrize(
    ("goals", "words", "says"),
    [
        (f"goals: [{{{START}}}]", [], "goal 1 does not say which true object it means; write `target: ID`"),
        (f"goals: [{{{START}, target: 9}}]", [], "means object 9, but the truth has only 1 (square 1), 2 (square 2)"),
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


def test_of_many_objects_the_first_are_named():
    truth = {0: tuple(true(number) for number in range(500))}
    with pytest.raises(ConfigError, match=r"the truth has only 0, 1, .*, 19 and 480 more"):
        targets_of([ScriptedGoal(request=TrackRequest(prompt="it"))], {1: (500,)}, truth)


@pytest.mark.parametrize("text", ["1", "x=1", "1=", "1=a", "1=1,", "-1=1"])
def test_a_target_is_a_goal_and_ids(text, squares, tmp_path):
    with pytest.raises(SystemExit) as caught:
        vitron(squares, BOTH, tmp_path, f"--target={text}")
    assert caught.value.code == 2


GOOD = true_track(1, [1, 2, 30, 40])
BAD_TRUTH = {
    "a stamp of no image": ({5: [GOOD]}, "no image has that stamp"),
    "no box at all": ({stamp_ns(0): []}, f"{TRUTH} has no true box"),
    "not a number": (
        {stamp_ns(3): [true_track(1, [np.nan, 2, 3, 4])]},
        "object 1 at 1.300000000 s is [nan, 2.0",
    ),
    "infinite": ({stamp_ns(3): [true_track(1, [1, 2, np.inf, 4])]}, "which is not a box"),
    "no area": ({stamp_ns(3): [true_track(1, [5, 2, 5, 4])]}, "has no area: [5.0, 2.0, 5.0, 4.0]"),
    "a share above 1": ({stamp_ns(3): [true_track(1, [1, 2, 3, 4], 1.5)]}, "has the visibility 1.5"),
    "an id twice": ({stamp_ns(3): [GOOD, GOOD]}, "object 1 is twice at 1.300000000 s"),
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


def test_a_file_of_an_annotation_tool_is_truth_too(squares, tmp_path, capsys):
    rows = [f"{index + 1},7,{x + 1},{y + 1},30,30,1,1,1" for index in range(FRAMES) for x, y, *_ in [box_of(1, index)]]
    (tmp_path / "gt.txt").write_text("\n".join(rows[:8]))
    goals, truth = f"goals: [{{{START}, target: 7}}]", str(tmp_path / "gt.txt")
    seen = {}
    for unlisted in ("negative", "unlabelled"):
        assert vitron(squares, goals, tmp_path, "--truth", truth, "--unlisted", unlisted, "--json") == 0
        seen[unlisted] = json.loads(capsys.readouterr().out)["goals"][0]
    assert (seen["negative"]["labelled"], seen["unlabelled"]["labelled"]) == (FRAMES, 8)
    assert (seen["negative"]["several"]["fp"], seen["unlabelled"]["several"]["fp"]) == (FRAMES - 8, 0)
    assert seen["negative"]["single"]["visible-frames"] == seen["unlabelled"]["single"]["visible-frames"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--truth", "gt.txt"], "say what images are that gt.txt does not list: --unlisted negative or unlabelled"),
        (["--truth", TRUTH, "--unlisted", "negative"], "are for files"),
        (["--baseline", "a.json"], "--baseline and --margin belong together"),
        (["--margin", "0.1"], "--baseline and --margin belong together"),
    ],
)
def test_options_that_do_not_fit_are_errors_of_usage(words, says, squares, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gt.txt").write_text("1,7,1,1,5,5,1,1,1")
    assert vitron(squares, BOTH, tmp_path, *words) == 2
    assert says in capsys.readouterr().err


def test_a_word_that_is_neither_topic_nor_file_is_refused(squares, tmp_path, capsys):
    assert vitron(squares, BOTH, tmp_path, "--truth", "ground_truth.txt") == 1
    assert "ground_truth.txt is neither a topic of" in capsys.readouterr().err


def test_the_recording_for_foxglove_holds_images_tracks_and_truth(squares, tmp_path):
    path = tmp_path / "new" / "eval.mcap"
    for _ in range(2):  # the second takes the place of the first
        assert vitron(squares, BOTH, tmp_path, "--record", str(path)) == 0
    assert [item.name for item in path.parent.iterdir()] == ["eval.mcap"]
    bag = Bag(path)
    assert {name: (topic.type.rpartition("/")[2], topic.count) for name, topic in bag.topics.items()} == {
        "/image/compressed": ("CompressedImage", FRAMES),
        "/tracks": ("TrackArray", FRAMES),
        "/tracks/boxes": ("ImageMarker", FRAMES),
        "/ground_truth": ("TrackArray", FRAMES),
        "/ground_truth/boxes": ("ImageMarker", FRAMES),
    }
    assert bag.image_stamps() == [stamp_ns(index) for index in range(FRAMES)]
    truth = read_ground_truth(path)
    assert [box.box_xyxy.tolist() for box in truth[stamp_ns(5)]] == [box_of(1, 5), box_of(2, 5)]
    x, y, right, bottom = box_of(1, 0)
    marker = next(bag.messages(["/ground_truth/boxes"])).value
    edges = [(point.x, point.y) for point in marker.points]
    assert edges[:8] == [
        (x, y),
        (right, y),
        (right, y),
        (right, bottom),
        (right, bottom),
        (x, bottom),
        (x, bottom),
        (x, y),
    ]
    assert len(edges) == 16


def test_a_recording_that_cannot_be_written_is_one_sentence(squares, tmp_path, capsys):
    assert vitron(squares, BOTH, tmp_path, "--record", "/proc/nothing/eval.mcap") == 1
    assert "/proc/nothing" in capsys.readouterr().err


def test_a_figure_that_fell_by_more_than_the_margin_fails(squares, tmp_path, capsys):
    assert vitron(squares, BOTH, tmp_path, "--json") == 0
    first = json.loads(capsys.readouterr().out)
    baseline = tmp_path / "baseline.json"
    regression = ["--baseline", str(baseline), "--margin", "0.05"]
    baseline.write_text(json.dumps(first))
    assert vitron(squares, BOTH, tmp_path, *regression) == 0
    first["goals"][0]["single"]["visible-frames"]["auc"] += 0.04
    baseline.write_text(json.dumps(first))
    assert vitron(squares, BOTH, tmp_path, *regression) == 0
    first["goals"][0]["single"]["visible-frames"]["auc"] += 0.02
    first["goals"][1]["ghosts"] = 0.5
    baseline.write_text(json.dumps(first))
    capsys.readouterr()
    assert vitron(squares, BOTH, tmp_path, *regression) == 1
    lines = capsys.readouterr().err.splitlines()
    assert any(line.startswith("vitron: goal 1: visible-frames auc fell from") for line in lines)
    assert any(line == 'vitron: goal 2 "two": ghosts was 0.5000 and is not measured any more' for line in lines)
    assert len([line for line in lines if line.startswith("vitron:")]) == 2


def test_ghosts_and_recoveries_have_their_direction():
    def document(ghosts, recovered):
        item = {"name": "goal 1", "single": None, "several": {}, "streaming": None, "ghosts": ghosts}
        item |= {"recovered": recovered, "returns": None if recovered is None else 4}
        return {"goals": [item], "all": {**item}}

    def worse(before, after):
        return fallen(dict(shares(document(*before))), document(*after), 0.1)

    assert worse((0.2, 2), (0.1, 3)) == []
    assert worse((0.2, 2), (0.25, 2)) == []
    assert [line.split(":")[1].split()[:2] for line in worse((0.2, 2), (0.4, 1))[:2]] == [
        ["recovered", "fell"],
        ["ghosts", "rose"],
    ]
    assert worse((None, None), (0.4, 1)) == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "holds no figures; write them with: vitron eval bag"),
        ("[]", "holds no figures"),
        ('{"measured_on": {"truth": "0", "goals": "0"}}', "holds no figures"),
        ('{"measured_on": {"truth": "0", "goals": "0"}, "goals": [], "all": NaN}', "holds no figures"),
        (
            '{"measured_on": {"truth": "0", "goals": "0"}, "goals": [], "all": {"single": null, "several": {}, '
            '"streaming": null, "returns": null, "ghosts": null}}',
            "is of other truth and goals; write it again",
        ),
        (
            '{"measured_on": {"truth": "0", "goals": "0"}, "goals": [], "all": {"single": {"a": {"auc": NaN}}, '
            '"several": {}, "returns": null, "ghosts": null}}',
            "holds no figures",
        ),
    ],
)
def test_a_baseline_of_something_else_is_refused(text, says, squares, tmp_path, capsys):
    (tmp_path / "baseline.json").write_text(text)
    words = ["--baseline", str(tmp_path / "baseline.json"), "--margin", "0.05"]
    assert vitron(squares, BOTH, tmp_path, *words) == 1
    assert says in capsys.readouterr().err


def detections(at_ns, *items):
    """A Detection2DArray; an item is an id, a box, a turn in rad and classes with their scores."""
    make = bag_messages.make
    made = []
    zeros = make("geometry_msgs/msg/Pose", position=make("geometry_msgs/msg/Point", x=0.0, y=0.0, z=0.0),
                 orientation=make("geometry_msgs/msg/Quaternion", x=0.0, y=0.0, z=0.0, w=1.0))  # fmt: skip
    pose = make("geometry_msgs/msg/PoseWithCovariance", pose=zeros, covariance=np.zeros(36))
    for name, (x, y, right, bottom), theta, classes in items:
        position = make("vision_msgs/msg/Point2D", x=(x + right) / 2, y=(y + bottom) / 2)
        center = make("vision_msgs/msg/Pose2D", position=position, theta=theta)
        bbox = make("vision_msgs/msg/BoundingBox2D", center=center, size_x=float(right - x), size_y=float(bottom - y))
        hypotheses = [make("vision_msgs/msg/ObjectHypothesis", class_id=kind, score=score) for kind, score in classes]
        results = [make("vision_msgs/msg/ObjectHypothesisWithPose", hypothesis=one, pose=pose) for one in hypotheses]
        header = bag_messages.header(at_ns)
        made.append(make("vision_msgs/msg/Detection2D", header=header, results=results, bbox=bbox, id=name))
    return make("vision_msgs/msg/Detection2DArray", header=bag_messages.header(at_ns), detections=made)


def with_detections(path, messages):
    write_bag(path, truth={})
    images = Bag(path)
    with BagWriter(path.with_name("with_detections")) as bag:
        for raw in images.raw_messages(images.topics):
            bag.write_raw(raw.topic, raw.type, raw.data, raw.log_ns)
        for message in messages:
            bag.write("/detections", message, 1)
    return path.with_name("with_detections")


@pytest.mark.parametrize(("names", "target"), [(("1", "2"), 2), (("mug_a", "mug_b"), 2), (("10", "7"), 7)])
def test_truth_as_detections(names, target, squares, tmp_path, capsys):
    messages = [
        detections(
            stamp_ns(index),
            *((names[number - 1], box_of(number, index), 0.0, [("toy", 0.2), ("square", 0.9)]) for number in (1, 2)),
        )
        for index in range(FRAMES)
    ]
    bag = with_detections(tmp_path / "bag", messages)
    goals = f"goals: [{{box: {box_of(2, 0)}, target: {target}}}]"
    figures = []
    for words in ([str(bag), "/detections"], [str(squares), TRUTH]):
        goals = goals.replace(f"target: {target}", "target: 2") if words[1] == TRUTH else goals
        assert vitron(words[0], goals, tmp_path, "--truth", words[1], "--json") == 0
        figures.append(json.loads(capsys.readouterr().out)["all"])
    assert figures[0] == figures[1]
    assert (
        vitron(bag, goals.replace("target: 2", "target: 3"), tmp_path, "--truth", "/detections", "--target=1=99") == 1
    )
    assert "square)" in capsys.readouterr().err, "the names of objects help to choose one"


ITEM = ("1", [1, 2, 30, 40], 0.0, [])


@pytest.mark.parametrize(
    ("messages", "says"),
    [
        ([detections(stamp_ns(0), ("1", [1, 2, 30, 40], 0.1, []))], "object 1 at 1.000000000 s is turned by 0.1 rad"),
        ([detections(stamp_ns(0), ("1", [1, 2, 30, 40], np.nan, []))], "is turned by nan rad"),
        ([detections(stamp_ns(0), ("", [1, 2, 30, 40], 0.0, []))], "a detection without an id"),
        ([detections(stamp_ns(0), ITEM)] * 2, "has two messages of 1.000000000 s; which is true?"),
        ([detections(stamp_ns(0), ITEM, ITEM)], "object 1 is twice at 1.000000000 s"),
        ([detections(stamp_ns(0), ("1", [1, 2, 1, 40], 0.0, []))], "has no area"),
        ([detections(5, ITEM)], "no image has that stamp"),
        ([detections(stamp_ns(0))], "has no true box"),
    ],
)
def test_detections_that_cannot_be_meant_are_refused_by_name(messages, says, tmp_path, capsys):
    bag = with_detections(tmp_path / "bag", messages)
    assert vitron(bag, f"goals: [{{{START}, target: 1}}]", tmp_path, "--truth", "/detections") == 1
    assert says in capsys.readouterr().err


def test_late_boxes_are_scored_in_the_images_in_which_they_are_out():
    """A target that moves by half its width an image, and boxes that are right, half an image late."""
    boxes = [np.add(BOX, [10 * index, 0, 10 * index, 0]) for index in range(4)]
    truth, published = [(true(box=box),) for box in boxes], [(track(box=box),) for box in boxes]
    document = all_figures(truth, published, late_ns=PERIOD_NS // 2)
    goal = document["goals"][0]
    assert goal["single"]["visible-frames"]["auc"] == pytest.approx(20 / 21, abs=1e-6)
    # none is out in the first image; then IoU 1/3, above 7 of 21 thresholds; with half an image more all are right
    assert goal["streaming"]["auc"] == pytest.approx(3 * 7 / 4 / 21, abs=1e-6)
    half = 25 / 51 * (3 * 7 / 4 / 21) + 26 / 51 * 20 / 21
    assert goal["streaming"]["mean_auc"] == pytest.approx(half, abs=1e-6)
    assert goal["first_track_s"] == pytest.approx(0.05)
    assert document["box_age"] == {"p50_ms": 50, "p95_ms": 50, "p99_ms": 50}
    assert all_figures(truth, published)["box_age"] is all_figures(truth, published)["all"]["streaming"] is None


def test_a_slow_node_drops_images_and_its_figures_say_so(squares, tmp_path, capsys):
    goals = f"goals: [{{{START}, target: 1}}]"
    outputs = []
    for words in (["fixed:0.25"], ["fixed:0.25"], ["fixed:0.02"]):
        assert vitron(squares, goals, tmp_path, "--json", "--frame-latency", *words) == 0
        outputs.append(json.loads(capsys.readouterr().out))
    assert outputs[0] == outputs[1]
    slow, quick = outputs[0], outputs[2]
    assert (slow["images_dropped"], quick["images_dropped"]) == (FRAMES - 6, 0)
    assert slow["goals"][0]["images"] == slow["goals"][0]["labelled"] == FRAMES
    assert slow["box_age"]["p50_ms"] >= 250
    assert quick["box_age"]["p50_ms"] == 20
    scores = [item["goals"][0]["single"]["visible-frames"]["auc"] for item in (slow, quick)]
    late = [item["goals"][0]["streaming"]["auc"] for item in (slow, quick)]
    assert late[0] < scores[0] < scores[1]
    assert late[0] < late[1] < scores[1]
    assert vitron(squares, goals, tmp_path, "--frame-latency", "fixed:0.25") == 0
    assert f"{FRAMES - 6} images dropped; age of boxes in ms: p50" in capsys.readouterr().out


def test_a_latency_that_no_run_repeats_is_refused(squares, tmp_path, capsys):
    with pytest.raises(SystemExit) as caught:
        vitron(squares, BOTH, tmp_path, "--frame-latency", "measured")
    assert caught.value.code == 2
    assert vitron(squares, BOTH, tmp_path, "--frame-latency", "soon") == 1
    assert "there is no latency 'soon'" in capsys.readouterr().err
