"""What is true in the images of a recording.

An image that is not in a `Truth` is unlabelled and scored nowhere; one that is there without boxes shows none of the
objects. Nothing is matched, cut or padded: what does not fit the images is refused.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Literal

from vitron_ros.errors import ConfigError, SourceError
from vitron_ros.evaluation.bags.annotations import read_annotations
from vitron_ros.evaluation.bags.detections import DETECTION_ARRAY, read_detections
from vitron_ros.evaluation.fingerprint import short_hash
from vitron_ros.offline.goal_script import ScriptedGoal
from vitron_ros.recordings.bags import Bag
from vitron_ros.recordings.ground_truth import TrueBox, check_boxes, read_ground_truth
from vitron_ros.region import Region

Truth = Mapping[int, tuple[TrueBox, ...]]
"""The true boxes in each labelled image, by the number of the image in its topic, from 0."""

MOST_TOLD = 20
Unlisted = Literal["negative", "unlabelled"]


def read_topic(bag: Bag, topic: str, stamps_ns: Sequence[int]) -> Truth:
    """The truth that a topic of the recording itself holds, with the stamps of the images.

    It is vitron_msgs/TrackArray or vision_msgs/Detection2DArray. An image without a message is unlabelled.

    Args:
        stamps_ns: of the images.

    Raises:
        SourceError: there is no such topic, a message has the stamp of no image or of several, or a box is none, or
            there is no box at all.
    """
    is_standard = topic in bag.topics and bag.topics[topic].type == DETECTION_ARRAY
    found = read_detections(bag, topic) if is_standard else read_ground_truth(bag.path, topic)
    times = Counter(stamps_ns)
    for stamp_ns in found:
        if times[stamp_ns] != 1:
            images = f"{times[stamp_ns]} images have" if times[stamp_ns] else "no image has"
            raise SourceError(
                f"{bag.path}: {topic} has a message of {stamp_ns / 1e9:.9f} s, but {images} that stamp; "
                "give the truth the stamps of its images, or choose their topic with --topic"
            )
    truth = {index: found[stamp_ns] for index, stamp_ns in enumerate(stamps_ns) if stamp_ns in found}
    _check_any(truth, f"{bag.path}: {topic}")
    return truth


def read_file(path: Path, size: tuple[int, int], images: int, *, unlisted: Unlisted, kind: str | None = None) -> Truth:
    """The truth in a file of an annotation tool, whose frame n is the nth image of the topic.

    Args:
        size: width and height of the images, px.
        images: how many the topic has.
        unlisted: what an image is that the file does not speak of: "negative" shows none of the objects.
        kind: one of `annotations.FORMATS`; None: read from the content.

    Raises:
        SourceError: the file cannot be read, is about another number of images, has no box, or one that is none.
    """
    truth: Truth = read_annotations(path, size, images, kind)
    if unlisted == "negative":
        truth = {index: truth.get(index, ()) for index in range(images)}
    _check_any(truth, str(path))
    for index, boxes in truth.items():
        check_boxes(boxes, str(path), f"in image {index}")
    return truth


def _check_any(truth: Truth, where: str) -> None:
    if not any(truth.values()):
        raise SourceError(f"{where} has no true box; nothing can be measured")


def targets_of(
    goals: Sequence[ScriptedGoal], given: Mapping[int, tuple[int, ...]], truth: Truth
) -> list[tuple[int, ...]]:
    """The ids of the true objects that each goal means: those given for it, or else those of its script.

    Args:
        given: by the number of a goal, from 1.

    Raises:
        ConfigError: a goal means nothing, or an object that is in no image, or no goal has that number.
    """
    if unknown := sorted(set(given) - set(range(1, len(goals) + 1))):
        raise ConfigError(f"--target speaks of goal {unknown[0]}, but the goals are 1 to {len(goals)}")
    known = {box.id: box.label for boxes in truth.values() for box in boxes}
    told = [f"{number} ({label})" if label else str(number) for number, label in sorted(known.items())]
    listed = ", ".join(told[:MOST_TOLD]) + (f" and {len(told) - MOST_TOLD} more" if len(told) > MOST_TOLD else "")
    targets = [given.get(number, goal.targets) for number, goal in enumerate(goals, 1)]
    for number, ids in enumerate(targets, 1):
        if not ids:
            raise ConfigError(
                f"goal {number} does not say which true object it means; write `target: ID` in the goals, or give "
                f"--target {number}=ID; the truth has {listed}"
            )
        if missing := [one for one in ids if one not in known]:
            raise ConfigError(f"goal {number} means object {missing[0]}, but the truth has only {listed}")
    return targets


def truth_hash(truth: Truth, stamps_ns: Sequence[int]) -> str:
    """Of what is true in which images."""
    boxes = {
        index: [[box.id, box.visibility, *box.box_xyxy.tolist()] for box in boxes] for index, boxes in truth.items()
    }
    return short_hash([list(stamps_ns), boxes])


def goals_hash(goals: Sequence[ScriptedGoal], targets: Sequence[tuple[int, ...]]) -> str:
    """Of what is asked for, when, and which true objects it means."""
    return short_hash([[*_values(goal), ids] for goal, ids in zip(goals, targets, strict=True)])


def _values(goal: ScriptedGoal) -> Iterator[object]:
    yield from (goal.at_s, goal.cancel_at_s)
    for field in fields(goal.request):
        value = getattr(goal.request, field.name)
        yield [value.kind.name, value.points.tolist()] if isinstance(value, Region) else value
