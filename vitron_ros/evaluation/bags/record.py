"""Images, tracks and truth of an evaluation as one MCAP file, to look at in Foxglove."""

from pathlib import Path

from vitron_ros.evaluation.bags.goal_runs import BagRun
from vitron_ros.evaluation.bags.truth import Truth
from vitron_ros.images.codec import encode_jpeg
from vitron_ros.recordings import bag_messages
from vitron_ros.recordings.bag_writer import mcap_file
from vitron_ros.recordings.bags import Bag
from vitron_ros.recordings.ground_truth import GROUND_TRUTH_TOPIC
from vitron_ros.tracking.track import TrackState

IMAGES, TRACKS = "/image/compressed", "/tracks"
GREEN, ORANGE = (0.2, 0.8, 0.3), (1.0, 0.55, 0.1)


def write_recording(path: Path, bag: Bag, topic: str | None, truth: Truth, run: BagRun) -> None:
    """Write what was measured, with the stamps of the images.

    /image/compressed (JPEG), /tracks and /ground_truth (vitron_msgs/TrackArray), and the boxes of both to be drawn over
    the images, /tracks/boxes in orange and /ground_truth/boxes in green. Images that cannot be decoded are left out.

    Args:
        topic: of the images; None: the only one.

    Raises:
        SourceError: the file cannot be written.
    """
    with mcap_file(path) as writer:
        for frame in bag.images(topic, on_bad=lambda index, error: None, warn=lambda text: None):
            now_ns, size = frame.stamp_ns, (frame.width, frame.height)
            image = bag_messages.compressed_image(encode_jpeg(frame.rgb), now_ns, frame.frame_id)
            writer.write(IMAGES, image, now_ns)
            shown = {}
            if frame.index in run.images:
                shown[TRACKS] = run.images[frame.index].tracks, ORANGE
            if frame.index in truth:
                shown[GROUND_TRUTH_TOPIC] = tuple(box.as_track(now_ns) for box in truth[frame.index]), GREEN
            for name, (tracks, colour) in shown.items():
                array = bag_messages.track_array(tracks, now_ns, size, frame_id=frame.frame_id)
                boxes = [track.box_xyxy for track in tracks if track.state is not TrackState.LOST]
                writer.write(name, array, now_ns)
                writer.write(f"{name}/boxes", bag_messages.box_markers(boxes, now_ns, colour, frame.frame_id), now_ns)
