"""Writes the bag with depth, `bags/depth`: python -m bags.make_depth [DIRECTORY]

Images, depth and truth come from `depth_scene.py`, the same on every run; the images' JPEG bytes may differ between
builds of OpenCV.
"""

import shutil
import sys
from pathlib import Path

from tqdm import tqdm

from bags.depth_scene import FOCAL, FPS, FRAMES, MIDDLE, Array, render
from bags.ground_truth_bag import FRAME_ID, INFO_TOPIC, jpeg
from vitron_ros.recordings import bag_messages
from vitron_ros.recordings.bag_writer import BagWriter
from vitron_ros.recordings.ground_truth import GROUND_TRUTH_3D_TOPIC, GROUND_TRUTH_TOPIC, TrueBox
from vitron_ros.recordings.sources import stamp_ns

IMAGE_TOPIC, DEPTH_TOPIC = "/camera/image_raw/compressed", "/camera/depth"
QUALITY = 45  # keeps the bag below 3 MB


def write(directory: Path) -> None:
    """Write the bag; an older one at this place is replaced."""
    shutil.rmtree(directory, ignore_errors=True)
    k = [FOCAL, 0.0, MIDDLE[0] - 0.5, 0.0, FOCAL, MIDDLE[1] - 0.5, 0.0, 0.0, 1.0]
    with BagWriter(directory) as bag:
        for index in tqdm(range(FRAMES), unit="frame"):
            rgb, depth, truths = render(index)
            now_ns, size = stamp_ns(index, FPS), (rgb.shape[1], rgb.shape[0])
            bag.write(IMAGE_TOPIC, bag_messages.compressed_image(jpeg(rgb, QUALITY), now_ns, FRAME_ID), now_ns)
            bag.write(INFO_TOPIC, bag_messages.camera_info(*size, now_ns, FRAME_ID, k=k), now_ns)
            bag.write(DEPTH_TOPIC, bag_messages.image_of(depth, now_ns, FRAME_ID), now_ns)
            tracks = [truth.as_track(now_ns, now_ns - stamp_ns(0, FPS)) for truth, _ in truths]
            bag.write(GROUND_TRUTH_TOPIC, bag_messages.track_array(tracks, now_ns, size, frame_id=FRAME_ID), now_ns)
            bag.write(GROUND_TRUTH_3D_TOPIC, _truth_3d(truths, now_ns), now_ns)


def _truth_3d(truths: list[tuple[TrueBox, Array]], now_ns: int) -> object:
    positions = [(truth.id, truth.label, truth.visibility, position) for truth, position in truths]
    return bag_messages.track_3d_array(positions, now_ns, FRAME_ID)


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "depth")
