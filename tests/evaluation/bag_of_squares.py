"""A small recording: two textured squares, 1 that goes right and 2 that goes down, and the truth about them."""

import numpy as np

from vitron_ros.images.codec import encode_png
from vitron_ros.recordings import bag_messages
from vitron_ros.recordings.bag_writer import BagWriter
from vitron_ros.tracking.track import TrackSnapshot, TrackState

FRAMES, PERIOD_NS = 12, 100_000_000
WIDTH, HEIGHT = 160, 120
IMAGES, TRUTH = "/camera/image_raw/compressed", "/ground_truth"


def stamp_ns(index):
    return 1_000_000_000 + index * PERIOD_NS


def box_of(number, index):
    x, y = (20 + 4 * index, 60) if number == 1 else (110, 10 + 3 * index)
    return [x, y, x + 30, y + 30]


def image(index):
    rng = np.random.default_rng(0)
    rgb = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    for number in (1, 2):
        x, y, right, bottom = box_of(number, index)
        texture = rng.integers(0, 255, (10, 10, 3), np.uint8).repeat(3, axis=0).repeat(3, axis=1)
        rgb[y:bottom, x:right] = texture
    return rgb


def true_track(number, box_xyxy, visibility=1.0):
    return TrackSnapshot(
        id=number,
        phrase="",
        label=f"square {number}",
        state=TrackState.TRACKED if visibility else TrackState.LOST,
        box_xyxy=np.array(box_xyxy, np.float64),
        score=visibility,
        velocity=np.zeros(2),
        grounded_ns=0,
        age_ns=0,
    )


def write_bag(path, *, truth=None, damaged=(), truth_topic=TRUTH):
    """The recording at `path`.

    truth: stamp -> tracks, instead of both squares in every image; damaged: images that cannot be decoded.
    """
    if truth is None:
        truth = {
            stamp_ns(index): [true_track(number, box_of(number, index)) for number in (1, 2)] for index in range(FRAMES)
        }
    with BagWriter(path) as bag:
        for index in range(FRAMES):
            data = encode_png(image(index))
            data = data[: len(data) // 2] if index in damaged else data
            bag.write(IMAGES, bag_messages.compressed_image(data, stamp_ns(index), format="png"), stamp_ns(index))
        for at_ns, tracks in truth.items():
            bag.write(truth_topic, bag_messages.track_array(tracks, at_ns, (WIDTH, HEIGHT)), at_ns)
    return path
