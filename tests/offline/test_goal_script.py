import numpy as np
import pytest

from vitron_ros.errors import ConfigError
from vitron_ros.offline.goal_script import read_goals
from vitron_ros.region import RegionKind


def written(tmp_path, text):
    path = tmp_path / "goals.yaml"
    path.write_text(text)
    return path


def test_every_kind_of_goal_is_read(tmp_path):
    goals = read_goals(
        written(
            tmp_path,
            """
goals:
  - {prompt: the mug, box: [1, 2, 30, 40]}
  - {at: 1.5, point: [5, 6], duration: 3, cancel_at: 2}
  - {polygon: [[0, 0], [9, 0], [9, 9]], lost_timeout: 1}
  - {scribble: [[0, 0], [9, 0]], min_score: 0.4, camera: left}
  - {prompt: only words, max_targets: 8}
""",
        )
    )
    kinds = [goal.request.region.kind if goal.request.region else None for goal in goals]
    assert kinds == [RegionKind.BOX, RegionKind.POINT, RegionKind.POLYGON, RegionKind.SCRIBBLE, None]
    np.testing.assert_array_equal(goals[0].request.region.bounding_box(100, 100), [1, 2, 30, 40])
    assert (goals[1].at_s, goals[1].cancel_at_s, goals[1].request.duration) == (1.5, 2.0, 3.0)
    assert [goal.request.max_targets for goal in goals] == [None, None, None, None, 8]
    assert (goals[3].request.min_score, goals[3].request.camera) == (0.4, "left")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "list of goals"),
        ("goals: []", "list of goals"),
        ("- a", "list of goals"),
        ("goals: [7]", "goal 1 .* mapping"),
        ("goals: [{}]", "goal 1 .*say what to follow"),
        ("goals: [{prompt: a}, {bix: [1, 2, 3, 4]}]", r"goal 2 .* unknown keys \['bix'\]"),
        ("goals: [{box: [1, 2, 3, 4], point: [1, 2]}]", "box and point"),
        ("goals: [{box: [1, 2, 3]}]", "goal 1"),
        ("goals: [{box: abc}]", "goal 1"),
        ("goals: [{point: [1]}]", "goal 1"),
        ("goals: [{prompt: a, timeout: soon}]", "goal 1"),
        ("goals: [{prompt: a, timeout: -1}]", "not negative"),
        ("goals: [", "is not YAML, line 1"),
        ("goals: [{prompt: a, prompt: b}]", "the key prompt stands twice"),
        ("goals: [{prompt: a, max_targets: 0}]", "goal 1 .*max_targets is 0; it must be at least 1"),
        ("goals: [{prompt: a, max_targets: 1.5}]", "goal 1 .*1.5 is not a whole number"),
        ("goals: [{prompt: a, max_targets: true}]", "goal 1 .*True is not a whole number"),
        ("goals: [{prompt: a, at: .nan}]", "goal 1 .*not a valid time"),
        ("goals: [{prompt: a, cancel_at: -1}]", "goal 1 .*not a valid time"),
    ],
)
def test_mistakes_name_the_goal(tmp_path, text, says):
    with pytest.raises(ConfigError, match=says):
        read_goals(written(tmp_path, text))


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path):
    assert len(read_goals(written(tmp_path, "\ufeffgoals: [{prompt: a}]"))) == 1


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match="nowhere"):
        read_goals(tmp_path / "nowhere.yaml")
