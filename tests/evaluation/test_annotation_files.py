"""True boxes in the files of annotation tools: the same two boxes in each, and what is refused."""

import json
import zipfile

import numpy as np
import pytest

from vitron_ros.errors import SourceError
from vitron_ros.evaluation.bags.annotations import read_annotations
from vitron_ros.evaluation.bags.truth import read_file

SIZE, LENGTH = (200, 100), 4
BOXES = {0: [10, 20, 30, 60], 1: [12, 20, 32, 60], 2: [14, 20, 34, 60]}  # object 7; in frame 3 it is gone

MOT = "".join(f"{frame + 1},7,{x + 1},{y + 1},{r - x},{b - y},1,1,1\n" for frame, (x, y, r, b) in BOXES.items())
CVAT_MOT = "".join(f"{frame + 1},7,{x},{y},{r - x},{b - y},1,2,0.0\n" for frame, (x, y, r, b) in BOXES.items())
META = "<meta><task><size>4</size><start_frame>0</start_frame><frame_filter></frame_filter></task></meta>"
BOX = '<box frame="{}" xtl="{}" ytl="{}" xbr="{}" ybr="{}" outside="{}" occluded="1" keyframe="1"/>'
VIDEO = (
    f'<?xml version="1.0" encoding="utf-8"?><annotations>{META}<track id="7" label="mug">'
    f"{BOX.format(0, *BOXES[0], 0)}{BOX.format(2, *BOXES[2], 0)}{BOX.format(3, *BOXES[2], 1)}"
    "</track></annotations>"
)
IMAGE_BOX = (
    '<image id="{}" name="a.png" width="200" height="100"><box label="mug" xtl="{}" ytl="{}" xbr="{}" ybr="{}">'
    '<attribute name="track_id">7</attribute></box></image>'
)
IMAGES = (
    f"<annotations>{META}{''.join(IMAGE_BOX.format(frame, *box) for frame, box in BOXES.items())}"
    '<image id="3" name="d.png" width="200" height="100"></image></annotations>'
)


def percent(frame, enabled=True, **more):
    x, y, right, bottom = BOXES[frame]
    return {"frame": frame + 1, "enabled": enabled, "x": x / 2, "y": y, "width": (right - x) / 2, "height": bottom - y,
            "rotation": 0, "time": 0.0, **more}  # fmt: skip


def label_studio(*sequence, count=LENGTH):
    region = {"labels": ["mug"], "framesCount": count, "sequence": list(sequence)}
    return [
        {
            "annotations": [{"result": [{"type": "videorectangle", "value": region}, {"type": "choices"}]}],
            "predictions": [{"result": [{"type": "videorectangle", "value": {"sequence": "wrong"}}]}],
        }
    ]


def coco_vid():
    return {
        "videos": [{"id": 1, "name": "bag"}],
        "images": [{"id": 50 + frame, "video_id": 1, "frame_id": frame} for frame in range(LENGTH)],
        "annotations": [
            {"id": frame, "image_id": 50 + frame, "instance_id": 7, "category_id": 3,
             "bbox": [x, y, right - x, bottom - y]}
            for frame, (x, y, right, bottom) in BOXES.items()
        ],
        "categories": [{"id": 3, "name": "mug"}],
    }  # fmt: skip


LABEL_STUDIO = label_studio(percent(0), percent(2, enabled=False))


def written(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def read(path, **options):
    return read_annotations(path, SIZE, LENGTH, **options)


def assert_same(frames, number, label):
    assert {frame: [box.box_xyxy.tolist() for box in boxes] for frame, boxes in frames.items() if boxes} == {
        frame: [box] for frame, box in BOXES.items()
    }
    assert {(box.id, box.label, box.visibility) for boxes in frames.values() for box in boxes} == {(number, label, 1)}


@pytest.mark.parametrize(
    ("name", "content", "number", "label", "speaks_of"),
    [
        ("gt.txt", MOT, 7, "", 3),
        ("annotations.xml", VIDEO, 7, "mug", 4),
        ("annotations.xml", IMAGES, 7, "mug", 4),
        ("studio.json", LABEL_STUDIO, 1, "mug", 4),
        ("coco.json", coco_vid(), 7, "mug", 4),
    ],
)
def test_every_format_is_known_by_its_content(name, content, number, label, speaks_of, tmp_path):
    frames = read(written(tmp_path / name, content))
    assert_same(frames, number, label)
    assert len(frames) == speaks_of


def test_exports_of_cvat_as_archive_and_folder(tmp_path):
    with zipfile.ZipFile(tmp_path / "mot.zip", "w") as archive:
        archive.writestr("gt/gt.txt", CVAT_MOT)
        archive.writestr("gt/labels.txt", "cup\nmug\n")
    assert_same(read(tmp_path / "mot.zip"), 7, "mug")
    with zipfile.ZipFile(tmp_path / "video.zip", "w") as archive:
        archive.writestr("annotations.xml", VIDEO)
    assert_same(read(tmp_path / "video.zip"), 7, "mug")
    with zipfile.ZipFile(tmp_path / "mot.zip") as archive:
        archive.extractall(tmp_path / "mot")
    assert_same(read(tmp_path / "mot"), 7, "mug")
    assert_same(read(tmp_path / "mot" / "gt" / "gt.txt"), 7, "mug")


def test_a_track_of_cvat_without_an_end_lasts_to_the_last_image(tmp_path):
    endless = VIDEO.replace(BOX.format(3, *BOXES[2], 1), "")
    frames = read(written(tmp_path / "a.xml", endless))
    assert frames[3][0].box_xyxy.tolist() == BOXES[2]


def test_an_object_of_label_studio_that_is_not_switched_off_lasts_to_the_last_image(tmp_path):
    frames = read(written(tmp_path / "a.json", label_studio(percent(0), percent(2))))
    assert frames[3][0].box_xyxy.tolist() == pytest.approx(BOXES[2])
    gap = label_studio(percent(0, enabled=False), percent(2))
    assert read(written(tmp_path / "b.json", gap))[1] == ()


def test_boxes_of_mot_that_are_not_scored_are_left_out(tmp_path):
    lines = MOT + "1,8,1,1,5,5,0,8,1\n2,9,1,1,5,5,1,1,0.3\n3,10,1,1,5,5,0.9,-1,-1,-1\n"
    frames = read(written(tmp_path / "gt.txt", lines))
    assert {box.id: box.visibility for boxes in frames.values() for box in boxes} == {7: 1, 9: 0.3, 10: 1}


def test_what_images_are_that_a_file_does_not_list_is_asked_for(tmp_path):
    path = written(tmp_path / "gt.txt", MOT)
    assert sorted(read_file(path, SIZE, LENGTH, unlisted="unlabelled")) == [0, 1, 2]
    assert read_file(path, SIZE, LENGTH, unlisted="negative")[3] == ()


HOSTILE = (
    '<!DOCTYPE annotations [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    "<annotations>&b;</annotations>"
)
BAD = {
    "mot: words": ("1,7,a,1,5,5,1,1,1\n", "line 1: '1,7,a,1,5,5,1,1,1' is not frame,id"),
    "mot: cut off": (MOT + "3,7,1", "line 4: '3,7,1' is not frame,id"),
    "mot: NaN": ("1,7,nan,1,5,5,1,1,1\n", "line 1"),
    "mot: frame 0": ("0,7,1,1,5,5,1,1,1\n", "speaks of frame -1 .from 0., but the topic has 4 images"),
    "mot: a later frame": ("5,7,1,1,5,5,1,1,1\n", "speaks of frame 4 .from 0., but the topic has 4 images"),
    "mot: half an id": ("1,7.5,1,1,5,5,1,1,1\n", "id 7.5 should be whole numbers"),
    "cvat: a DOCTYPE": (HOSTILE, "has a DOCTYPE, which CVAT does not write"),
    "cvat: cut off": (VIDEO[:-20], "cannot be used: "),
    "cvat: another file": ("<html></html>", "begins with <html>"),
    "cvat: another length": (VIDEO.replace("<size>4<", "<size>9<"), "is about 9 frames, but the topic has 4 images"),
    "cvat: every so many": (VIDEO.replace("<frame_filter>", "<frame_filter>step=3"), "a part of the video's frames"),
    "cvat: turned": (VIDEO.replace('occluded="1"', 'rotation="30"'), "turned by 30 degrees"),
    "cvat: no corner": (VIDEO.replace("xtl", "left"), "'xtl' is missing"),
    "cvat: frames twice": (VIDEO.replace('frame="2"', 'frame="0"'), "track 7 does not list its frames in order"),
    "cvat: out of range": (VIDEO.replace('frame="2"', 'frame="99999999999"'), "speaks of frame 99999999999"),
    "cvat: no identity": (IMAGES.replace("track_id", "colour"), "a box of image 0 has no attribute track_id"),
    "studio: two tasks": (LABEL_STUDIO * 2, "has 2 tasks"),
    "studio: no annotation": ([{"annotations": [{"was_cancelled": True, "result": []}]}], "has 0 annotations"),
    "studio: another length": (label_studio(percent(0), count=5), "is about 5 frames, but the topic has 4"),
    "studio: turned": (label_studio(percent(0, rotation=10)), "turned by 10 degrees"),
    "studio: words": (label_studio(percent(0, x="left")), "should be numbers in percent"),
    "studio: frame 0": (label_studio({**percent(0), "frame": 0}), "speaks of frame -1"),
    "studio: a number": ([3], "annotations should be a list"),
    "coco: two videos": ({**coco_vid(), "videos": [{"id": 1}, {"id": 2}]}, "has 2 videos"),
    "coco: YouTube-VIS": ({**coco_vid(), "annotations": [{"bboxes": [None]}]}, "as YouTube-VIS"),
    "coco: an unknown image": (
        {**coco_vid(), "images": coco_vid()["images"][1:]},
        "an annotation is of image 50, which is not there",
    ),
    "coco: a box of three": (
        {**coco_vid(), "annotations": [{"image_id": 50, "instance_id": 7, "bbox": [1, 2, 3], "category_id": 3}]},
        "object 7 has the bbox",
    ),
    "coco: a later frame": (
        {**coco_vid(), "images": [*coco_vid()["images"], {"id": 1, "frame_id": 4}]},
        "speaks of frame 4",
    ),
    "json: cut off": ("[{", "is not valid JSON"),
    "json: deep": ("[" * 100_000, "is not valid JSON"),
    "something else": ("frame,id\n", "begins as none of mot, cvat, label-studio, coco-vid"),
    "nothing": ("", "begins as none of"),
}


@pytest.mark.parametrize("name", BAD)
def test_files_that_do_not_fit_are_refused_by_name(name, tmp_path):
    content, says = BAD[name]
    path = written(tmp_path / "truth", content)
    with pytest.raises(SourceError, match=says) as caught:
        read(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (MOT.replace(",20,40,", ",0,40,"), "object 7 in image 0 has no area"),
        (MOT + MOT, "object 7 is twice in image 0"),
        ({**coco_vid(), "annotations": []}, "has no true box"),
        (json.dumps(coco_vid()).replace("[10, 20", "[NaN, 20"), "object 7 in image 0 is .nan"),
    ],
)
def test_boxes_that_are_none_are_refused(content, says, tmp_path):
    with pytest.raises(SourceError, match=says):
        read_file(written(tmp_path / "truth", content), SIZE, LENGTH, unlisted="negative")


def test_folders_and_archives_without_boxes_are_refused(tmp_path):
    with pytest.raises(SourceError, match=r"has neither gt/gt\.txt nor annotations\.xml"):
        read(tmp_path)
    (tmp_path / "a.zip").write_bytes(b"no archive")
    with pytest.raises(SourceError, match="cannot be read"):
        read(tmp_path / "a.zip")


def test_keyframes_by_hand(tmp_path):
    """A quarter, a half and three quarters of the way."""
    first, last = [0, 0, 10, 10], [40, 8, 50, 18]
    track = (
        f'<annotations><track id="1" label="">{BOX.format(0, *first, 0)}{BOX.format(4, *last, 0)}</track></annotations>'
    )
    frames = read_annotations(written(tmp_path / "a.xml", track), SIZE, 5)
    corners = np.array([frames[index][0].box_xyxy for index in range(5)])
    assert corners[:, 0].tolist() == [0, 10, 20, 30, 40]
    assert corners[:, 3].tolist() == [10, 12, 14, 16, 18]
