"""Small copies of benchmarks in their official layouts, written by the tests."""

import json

import numpy as np
import pytest

from vitron_ros.images.codec import encode_jpeg, encode_png

WIDTH, HEIGHT = 32, 24
BOXES = ["1,2,10,20", "1.5,2,10,20", "2,2,10,20"]
BOXES_XYXY = [[1, 2, 11, 22], [1.5, 2, 11.5, 22], [2, 2, 12, 22]]


def write_image(path, level=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((HEIGHT, WIDTH, 3), (250, level, 10), np.uint8)
    path.write_bytes(encode_png(pixels) if path.suffix == ".png" else encode_jpeg(pixels))
    return path


def write_images(folder, numbers, digits=8):
    for number in numbers:
        write_image(folder / f"{number:0{digits}d}.jpg", level=10 * (number % 20))
    return folder


def write_text(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text if isinstance(text, str) else "\n".join(text) + "\n")
    return path


def write_json(path, value):
    return write_text(path, json.dumps(value))


def write_json_lines(path, values):
    return write_text(path, [json.dumps(value) for value in values])


def write_lasot(root, name="cup-2", rows=BOXES, full_occlusion="0,0,0", out_of_view="0,0,0", sentence="red cup"):
    folder = root / name.rpartition("-")[0] / name
    write_images(folder / "img", range(1, len(rows) + 1))
    write_text(folder / "groundtruth.txt", rows)
    write_text(folder / "full_occlusion.txt", full_occlusion)
    write_text(folder / "out_of_view.txt", out_of_view)
    if sentence is not None:
        write_text(folder / "nlp.txt", sentence)
    return folder


def write_got10k(root, split="val", cover="8,0,3", rows=("1.0000,2.0000,10.0000,20.0000", "1,2,10,20", "28,2,10,20")):
    name, frames = f"GOT-10k_{split.title()}_000001", len(cover.split(","))
    folder = write_images(root / split / name, range(1, frames + 1))
    write_text(root / split / "list.txt", [name])
    write_text(folder / "groundtruth.txt", list(rows))
    if split != "test":
        for label in ("absence", "cut_by_image"):
            write_text(folder / f"{label}.label", ["0"] * frames)
        write_text(folder / "cover.label", cover.split(","))
    write_text(
        folder / "meta_info.ini",
        ["[METAINFO]", "url: https://example.org", f"resolution: ({WIDTH}, {HEIGHT})", "object_class: anaconda"],
    )
    return folder


def write_uav123(root):
    write_images(root / "data_seq/UAV123/bird1", [*range(1, 254), *range(775, 778)], digits=6)
    write_images(root / "data_seq/UAV123/bike1", range(1, 4), digits=6)
    write_text(root / "anno/UAV123/bird1_1.txt", [BOXES[0]] * 253)
    write_text(root / "anno/UAV123/bike1.txt", [BOXES[0], "NaN,NaN,NaN,NaN", BOXES[2]])
    return root


def write_otb(root, name, rows, numbers=(1, 2, 3), file="groundtruth_rect.txt"):
    write_images(root / name / "img", numbers, digits=4)
    write_text(root / name / file, rows)
    return root / name


def write_labels(path, objects, palette=True, void=None):
    """A label image: object k covers columns 4k .. 4k + 3 of the rows 4 .. 11, as far as it is in `objects`."""
    Image = pytest.importorskip("PIL.Image", reason="the extra `evaluation` is not installed")
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    for number in objects:
        labels[4:12, 4 * number % WIDTH : 4 * number % WIDTH + 4] = number
    if void is not None:
        labels[0, 0] = void
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(labels)
    if palette:
        picture = picture.convert("P")
        picture.putpalette([value for level in range(256) for value in (level, 255 - level, 7)])
    picture.save(path)
    assert np.array(Image.open(path)).max() == labels.max()
    return path


def write_davis(root, split="val", name="bike", labels=((1, 2), (1,), (1, 2)), palette=True, void=255):
    write_text(root / "ImageSets/2017" / f"{split}.txt", [name])
    write_images(root / "JPEGImages/480p" / name, range(3), digits=5)
    for index, objects in enumerate(labels):
        write_labels(root / "Annotations/480p" / name / f"{index:05d}.png", objects, palette, void if index else None)
    return root


SQUARE = [[4, 4, 12, 4, 12, 12, 4, 12]]  # polygons
INSTANCES = {
    "images": [{"id": 9, "width": WIDTH, "height": HEIGHT, "file_name": "COCO_train2014_000000000009.jpg"}],
    "annotations": [
        {"id": 70, "image_id": 9, "category_id": 1, "bbox": [4.5, 4, 8, 8], "segmentation": SQUARE},
        {
            "id": 71,
            "image_id": 9,
            "category_id": 1,
            "bbox": [20, 4, 4, 8],
            "segmentation": {"size": [HEIGHT, WIDTH], "counts": [20 * HEIGHT, 4 * HEIGHT, 8 * HEIGHT]},
        },
    ],
    "categories": [{"id": 1, "name": "cup"}],
}


def ref(number, split, sentences, ann_id=70):
    return {
        "ref_id": number,
        "ann_id": ann_id,
        "category_id": 1,
        "image_id": 9,
        "file_name": "COCO_train2014_000000000009_0.jpg",
        "split": split,
        "sent_ids": [10 * number + place for place in range(len(sentences))],
        "sentences": [
            {"sent_id": 10 * number + place, "sent": text, "raw": text.title(), "tokens": text.split()}
            for place, text in enumerate(sentences)
        ],
    }


REFS = [ref(1, "val", ["red cup", "the left cup"]), ref(2, "testAB", ["right cup"], 71), ref(3, "testB", ["cup"], 71)]


def write_refcoco(root, name="refcoco", images="images/mscoco/images/train2014"):
    write_json(root / name / "instances.json", INSTANCES)
    write_image(root / images / "COCO_train2014_000000000009.jpg")
    return root / name


FLICKR_XML = """<annotation><filename>36979.jpg</filename><size><width>32</width><height>24</height></size>
<object><name>4</name><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>10</xmax><ymax>20</ymax></bndbox></object>
<object><name>4</name><name>5</name><bndbox><xmin>12</xmin><ymin>2</ymin><xmax>16</xmax><ymax>20</ymax></bndbox></object>
<object><name>6</name><scene>1</scene><nobndbox>0</nobndbox></object>
<object><name>7</name><scene>0</scene><nobndbox>1</nobndbox></object></annotation>"""
FLICKR_SENTENCES = [
    "[/EN#4/people Two men] in [/EN#5/clothing/other a red coat] at [/EN#6/scene the beach] .",
    "[/EN#0/notvisual It] is [/EN#7/other a day] .",
]


def write_flickr30k(root, xml=FLICKR_XML, split="test"):
    write_text(root / f"{split}.txt", ["36979"])
    write_text(root / "Sentences/36979.txt", FLICKR_SENTENCES)
    write_text(root / "Annotations/36979.xml", xml)
    write_image(root / "flickr30k-images/36979.jpg")
    return root


MOT_ROWS = [
    "1,1,11,11,40,80,1,1,1",
    "3,1,12,11,40,80,1,1,0.5",
    "1,7,201,11,40,80,0,8,1",
    "3,2,50.5,11,40,80,0,1,1",
]
MOT_INFO = """[Sequence]
name={}
imDir=img1
frameRate=30
seqLength={}
imWidth=32
imHeight=24
imExt=.jpg
"""


def write_mot_sequence(folder, rows=MOT_ROWS, length=4, digits=6, images=4):
    write_images(folder / "img1", range(1, images + 1), digits)
    write_text(folder / "seqinfo.ini", MOT_INFO.format(folder.name, length))
    if rows is not None:
        write_text(folder / "gt/gt.txt", rows)
    return folder


def answers(*texts):
    return [{"answer": text, "answer_confidence": "yes", "answer_id": place} for place, text in enumerate(texts, 1)]


def write_ok_vqa(root, annotations=None, prefix="", split="val2014"):
    questions = [
        {"image_id": 5, "question": "How many?", "question_id": 51},
        {"image_id": 5, "question": "Which?", "question_id": 52},
    ]
    default = [
        {"question_id": 52, "image_id": 5, "question_type": "other", "answers": answers(*["blue."] * 10)},
        {"question_id": 51, "image_id": 5, "question_type": "one", "answers": answers(*["two"] * 4, *["2"] * 6)},
    ]
    write_json(root / f"{prefix}OpenEnded_mscoco_{split}_questions.json", {"questions": questions})
    write_json(root / f"{prefix}mscoco_{split}_annotations.json", {"annotations": annotations or default})
    write_image(root / split / f"COCO_{split}_000000000005.jpg")
    return root


VIDEO_QA = [
    {"id": 1, "video_id": 7, "question": "who runs?", "answer": "man"},
    {"id": 2, "video_id": 8, "question": "what?", "answer": "ball"},
]


def write_youtube_vos(root, frames=("00010",)):
    write_images(root / "valid/JPEGImages/0062f687f1", (0, 5, 10, 15), digits=5)
    write_labels(root / "valid/Annotations/0062f687f1/00000.png", [1])
    write_labels(root / "valid/Annotations/0062f687f1/00010.png", [3])
    objects = {
        "1": {"category": "fox", "frames": ["00000", "00005", "00010"]},
        "3": {"category": "okapi", "frames": [*frames, "00015"]},
    }
    write_json(root / "valid/meta.json", {"videos": {"0062f687f1": {"objects": objects}}})
    train = {"003234408d": {"objects": {"1": {"category": "fox", "frames": ["00000"]}}}}
    write_json(root / "train/meta.json", {"videos": train})
    return root
