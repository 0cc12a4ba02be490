"""What a module reads from its input folder, and how its results become files, or do not."""

from pathlib import Path

import numpy as np
import pytest

from tests.modules.test_module import frames
from vitron_ros.clock import SECOND_NS
from vitron_ros.images.codec import encode_png
from vitron_ros.module_registry import Module
from vitron_ros.modules.module import BadJob, Cancelled, DiskFull, ModuleJob, ModuleResult, Progress, TooLarge
from vitron_ros.modules.settings import ModuleConfig
from vitron_ros.offline.module_input import input_path, read_input
from vitron_ros.offline.module_output import FORMATS, write_results
from vitron_ros.recordings.bags import Bag
from vitron_ros.recordings.image_files import read_image
from vitron_ros.recordings.video_writer import VideoWriter


@pytest.fixture
def film(tmp_path):
    path = tmp_path / "in" / "clip.mp4"
    path.parent.mkdir()
    with VideoWriter(path, 10.0, (32, 32)) as writer:
        for index in range(10):
            writer.write(np.full((32, 32, 3), 20 * index, np.uint8), index * SECOND_NS // 10)
    return path


@pytest.mark.parametrize("name", ["", "..", ".hidden", "a/b", "a\\b", "/etc/passwd", "a\n", "x" * 300, "gone.mp4"])
def test_only_names_of_what_is_there_are_taken(film, name):
    with pytest.raises(BadJob):
        input_path(str(film.parent), name)
    with pytest.raises(BadJob, match="input_folder is empty"):
        input_path("", "clip.mp4")


def test_links_are_followed_inside_the_folder_alone(film):
    (film.parent / "again.mp4").symlink_to(film)
    assert input_path(str(film.parent), "again.mp4").name == "again.mp4"
    folder = film.parent / "images"
    folder.mkdir()
    (folder / "1.png").symlink_to("/etc/hostname")
    with pytest.raises(BadJob, match="leads out"):
        input_path(str(film.parent), "images")


def test_a_part_of_a_film_is_read_within_the_limits(film):
    config, progress = ModuleConfig(max_frames=5), Progress()
    first_ns, last_ns = 12 * SECOND_NS // 10, 14 * SECOND_NS // 10
    read = read_input(film, config, progress, first_ns=first_ns, last_ns=last_ns)
    assert [frame.stamp_ns for frame in read] == [12 * SECOND_NS // 10, 13 * SECOND_NS // 10, last_ns]
    assert len(read_input(film, config, progress, most=1)) == 1
    with pytest.raises(TooLarge, match="6 images"):
        read_input(film, config, progress)
    with pytest.raises(BadJob, match="no image between"):
        read_input(film, config, progress, first_ns=99 * SECOND_NS)
    progress.cancel()
    with pytest.raises(Cancelled):
        read_input(film, config, progress)


def made(count=2):
    job = ModuleJob(module=Module.VIDEO_EDITING, action="remove", frames=frames(count))
    rng = np.random.default_rng(0)
    images = tuple(rng.integers(0, 256, (6, 8, 3), np.uint8) for _ in range(count))
    return job, ModuleResult(images=images, masks=tuple(image[..., 0] for image in images))


def test_pictures_and_a_recording_hold_the_very_pixels(tmp_path):
    job, result = made()
    folder = write_results(tmp_path / "new", job, result, ["png", "mcap"])
    assert (read_image(folder / "images" / "000001.png") == result.images[1]).all()
    assert (read_image(folder / "masks" / "000001.png")[..., 0] == result.masks[1]).all()
    topics = Bag(folder / "recording").topics
    assert {name: topic.count for name, topic in topics.items()} == {"images": 2, "masks": 2}


def test_one_image_is_one_file(tmp_path):
    job, result = made(1)
    folder = write_results(tmp_path / "new", job, result)
    assert sorted(path.name for path in folder.iterdir()) == ["image.png", "mask.png"]


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("limits", [{"max_bytes": 10}, {"min_free_bytes": 2**60}])
def test_where_there_is_too_little_room_nothing_stays(tmp_path, limits, format_):
    with pytest.raises(DiskFull):
        write_results(tmp_path / "new", *made(), [format_], **limits)
    assert list(tmp_path.iterdir()) == []


def test_all_files_count_together_and_each_once(tmp_path):
    written = write_results(tmp_path / "free", *made(3), ["png", "mp4", "mcap"])
    size = sum(path.stat().st_size for path in written.rglob("*") if path.is_file())
    write_results(tmp_path / "enough", *made(3), ["png", "mp4", "mcap"], max_bytes=size)
    with pytest.raises(DiskFull):
        write_results(tmp_path / "short", *made(3), ["png", "mp4", "mcap"], max_bytes=size - 1)


def test_a_folder_of_images_is_a_clip(tmp_path):
    for index in range(2):
        Path(tmp_path, f"{index}.png").write_bytes(encode_png(np.full((4, 4, 3), index, np.uint8)))
    read = read_input(tmp_path, ModuleConfig(), Progress())
    assert [frame.rgb[0, 0, 0] for frame in read] == [0, 1]
