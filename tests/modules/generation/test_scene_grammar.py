"""A text is understood in all its words, or refused with what is known."""

import pytest

from vitron_ros.modules.generation.grammar import parse_motion, parse_scene, parse_thing
from vitron_ros.modules.generation.scene_plan import Motion, Relation, ScenePlan, Thing
from vitron_ros.modules.module import BadJob

BALL, CUP = Thing("circle", "red"), Thing("mug", "blue")


@pytest.mark.parametrize(
    "text, plan",
    [
        ("a red ball", ScenePlan((BALL,))),
        ("Please draw me a picture of a red ball.", ScenePlan((BALL,))),
        ("generate an image in which there is a red ball", ScenePlan((BALL,))),
        ("the ball is red", ScenePlan((BALL,))),
        ("a red ball and a blue cup", ScenePlan((BALL, CUP))),
        ("a red ball, a blue mug", ScenePlan((BALL, CUP))),
        ("a red ball to the left of a blue cup", ScenePlan((BALL, CUP), (Relation(0, "left", 1),))),
        ("a red ball on top of a blue cup", ScenePlan((BALL, CUP), (Relation(0, "above", 1),))),
        ("a red ball and a blue cup right of the ball", ScenePlan((BALL, CUP), (Relation(1, "right", 0),))),
        ("a red ball, and a blue cup below it", ScenePlan((BALL, CUP), (Relation(1, "below", 0),))),
        ("a big, striped star", ScenePlan((Thing("star", None, "large", "striped"),))),
        ("a star with dots", ScenePlan((Thing("star", pattern="dotted"),))),
        ("two fish", ScenePlan((Thing("fish"),) * 2)),
        ("three small fishes", ScenePlan((Thing("fish", size="small"),) * 3)),
        ("a red ball in the top left corner", ScenePlan((Thing("circle", "red", place=(-1, -1)),))),
        ("a red ball on the left of the picture", ScenePlan((Thing("circle", "red", place=(-1, None)),))),
        ("a red ball in the middle on grass", ScenePlan((Thing("circle", "red", place=(0, 0)),), (), "grass")),
        ("a red ball in front of a brick wall", ScenePlan((BALL,), (), "bricks")),
        ("a red ball on a blue background", ScenePlan((BALL,), (), "blue")),
        ("a red ball over the sky", ScenePlan((BALL,), (), "clouds")),
        ("a red ball that moves up", ScenePlan((Thing("circle", "red", motion=Motion((0, -1))),))),
        ("a red ball moves left and turns", ScenePlan((Thing("circle", "red", motion=Motion((-1, 0), 1)),))),
        ("a red ball slowly rolling to the right", ScenePlan((Thing("circle", "red", motion=Motion((1, 0))),))),
        (
            "a red ball left of a blue cup that falls",
            ScenePlan((BALL, Thing("mug", "blue", motion=Motion((0, 1)))), (Relation(0, "left", 1),)),
        ),
        (
            "a red ball left of a blue cup, moving up and left",
            ScenePlan((Thing("circle", "red", motion=Motion((-1, -1))), CUP), (Relation(0, "left", 1),)),
        ),
    ],
)
def test_a_text_says_what_is_drawn(text, plan):
    assert parse_scene(text) == plan


@pytest.mark.parametrize(
    "text, said",
    [
        ("", "has no words"),
        ("!!!", "has no words"),
        ("a picture", "names nothing to draw"),
        ("a ball left of", "ends where it should name something"),
        ("a red dragon", "does not know, 'dragon'; it draws circle, square"),
        ("a grey ball", "does not know, 'grey'; .* red, orange, yellow"),
        ("a red ball on the moon", "is not understood from 'on the moon'"),
        ("a red ball between two cups", "does not know, 'between'"),
        ("a red and blue ball", "is not understood from"),
        ("a red blue ball", "two of one colour: red and blue"),
        ("a ball that is small and large", "two of one size: small and large"),
        ("balls", "say how many balls"),
        ("two ball", "is it one, or more"),
        ("nine balls", "does not know, 'nine'"),
        ("eight balls and a cup", "more than 8 things"),
        ("a car moves", "not where: say left, right, up or down"),
        ("a red ball left of the ball", "cannot be left of itself"),
        ("a ball at the top left at the bottom", "at two places"),
        ("a ball on grass on sand", "two of one background: grass and sand"),
        ("a ball on the left of the", "ends where it should name something"),
        ("a ball; DROP TABLE", "does not know, 'drop'"),
        ("a ball ../../etc/passwd", "'\\.'|does not know, 'etc'"),
        ("a ball " * 60, "180? words|120 words|is not understood"),
    ],
)
def test_what_is_not_understood_is_refused_with_what_is_known(text, said):
    with pytest.raises(BadJob, match=said):
        parse_scene(text)


@pytest.mark.parametrize(
    "text, motion",
    [
        ("the red car drives to the left", Motion((-1, 0))),
        ("spin it", None),
        ("whatever it is, it spins anticlockwise", Motion(turns=-1)),
        ("the mug rises and turns", Motion((0, -1), 1)),
        ("the red car", None),
        ("the mug moves to Paris", None),
        ("the mug turns into a star", None),
    ],
)
def test_the_motion_of_a_given_thing(text, motion):
    if motion is None:
        with pytest.raises(BadJob):
            parse_motion(text)
    else:
        assert parse_motion(text) == motion


def test_one_thing_is_one_thing():
    assert parse_thing("a blue cup") == CUP
    for text in ("two cups", "a cup on the left", "a cup that moves left", "a cup on grass", "a cup and a ball"):
        with pytest.raises(BadJob):
            parse_thing(text)
