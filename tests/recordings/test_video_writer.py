"""Films: coding, length and pace, and what is said of one that cannot be made."""

import resource

import av
import numpy as np
import pytest

from vitron_ros.clock import SECOND_NS
from vitron_ros.errors import SourceError
from vitron_ros.recordings.sources import open_source
from vitron_ros.recordings.video_writer import VideoWriter


def grey(value: int, width: int = 64, height: int = 48) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)


def film_of(path, stamps_ms, fps=25.0):
    """Times of the frames of a film of images with these stamps, ms, and its length as its header states it, s."""
    with VideoWriter(path, fps, (64, 48)) as film:
        for index, stamp_ms in enumerate(stamps_ms):
            film.write(grey(2 * index), stamp_ms * 1_000_000)
    times_ms = [round((frame.stamp_ns - SECOND_NS) / 1e6) for frame in open_source(str(path))]
    with av.open(str(path)) as container:
        return times_ms, container.duration / av.time_base


def test_a_film_is_h264_that_browsers_play(tmp_path):
    film_of(tmp_path / "film.mp4", range(0, 400, 40))
    with av.open(str(tmp_path / "film.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
    data = (tmp_path / "film.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")  # it plays while it loads


STAMPS = {
    "steady": list(range(0, 1000, 40)),
    "of varying rate": [33 * i for i in range(20)] + [660 + 200 * i for i in range(10)],
    "of a time lapse": [5000 * i for i in range(6)],
    "fast": [4 * i for i in range(50)],
    "of today": [1_700_000_000_000 + 100 * i for i in range(10)],
}


@pytest.mark.parametrize("stamps_ms", STAMPS.values(), ids=STAMPS.keys())
@pytest.mark.parametrize("fps", [0.2, 28.571428, 1e6])
def test_a_film_keeps_the_pace_of_its_stamps_whatever_the_rate_is_said_to_be(tmp_path, stamps_ms, fps):
    times_ms, length_s = film_of(tmp_path / "film.mp4", stamps_ms, fps)
    assert times_ms == [stamp_ms - stamps_ms[0] for stamp_ms in stamps_ms]
    assert length_s >= times_ms[-1] / 1000


BAD_STAMPS = {
    "none": [0] * 6,
    "one that goes back": [1000, 1040, 1080, 40, 80, 120],
    "one that leaps": [0, 40, 80, 90_000_000, 90_000_040, 90_000_080],
}


@pytest.mark.parametrize("stamps_ms", BAD_STAMPS.values(), ids=BAD_STAMPS.keys())
def test_where_the_stamps_give_no_pace_the_rate_does(tmp_path, stamps_ms):
    assert film_of(tmp_path / "film.mp4", stamps_ms)[0] == [0, 40, 80, 120, 160, 200]


def test_images_without_room_for_a_video_are_refused(tmp_path):
    with pytest.raises(SourceError, match="images of 1x240 make no video"):
        VideoWriter(tmp_path / "film.mp4", 10, (1, 240))


def test_a_film_of_odd_size_and_of_frames_that_change_size_is_whole(tmp_path):
    with VideoWriter(tmp_path / "film.mp4", 10, (65, 49)) as film:
        film.write(grey(10, 65, 49), SECOND_NS)
        film.write(grey(200, 32, 20), SECOND_NS + 100_000_000)
    frames = list(open_source(str(tmp_path / "film.mp4")))
    assert [(frame.width, frame.height) for frame in frames] == [(64, 48)] * 2
    assert abs(int(frames[1].rgb.mean()) - 200) < 5


def test_a_film_in_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(SourceError, match="make the folder"):
        VideoWriter(tmp_path / "no" / "film.mp4", 10, (64, 48))


def test_a_film_that_does_not_fit_on_the_disk_is_an_error(tmp_path):
    noise = np.random.default_rng(1).integers(0, 256, (40, 240, 320, 3), dtype=np.uint8)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
    try:
        with (
            pytest.raises(SourceError, match="the disk may be full"),
            VideoWriter(tmp_path / "f.mp4", 10, (320, 240)) as film,
        ):
            for index, rgb in enumerate(noise):
                film.write(rgb, index * 100_000_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not (tmp_path / "f.mp4").exists()
