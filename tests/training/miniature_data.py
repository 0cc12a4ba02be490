"""Miniature copies of the data sets that stage files name: a few records each, in the files of the real ones."""

import io
import json
import tarfile
from pathlib import Path

import cv2
import numpy as np

from tests.evaluation.datasets import miniature
from tests.evaluation.datasets.miniature import BOXES, write_json, write_text
from training.config import RecordsConfig, TrainConfig
from training.sources.tar_index import write_index
from vitron_ros.model.answers import Invocation, invocation_text
from vitron_ros.module_registry import Module

BOX = (0.1, 0.2, 0.5, 0.6)
REPLY = invocation_text("Sure.", Invocation(Module.IMAGE_SEGMENTATION, ("segmentation: the ring",), BOX))
COUNT = 6  # records of a JSON file or of shards
TRACK_FRAMES = 9
GRIT = {"caption": "a small ring on a table", "ref_exps": [[0, 12, *BOX, 0.9], [16, 23, 0.0, 0.5, 1.0, 1.0, 0.8]]}


def write_image(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.random.default_rng(seed).integers(0, 255, (30, 40, 3), np.uint8)
    assert cv2.imwrite(str(path), image)


def write_video(path: Path, frames: int = 10) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10, (64, 48))
    for number in range(frames):
        writer.write(np.full((48, 64, 3), 20 * number, np.uint8))
    writer.release()
    return path


def write_refcoco(root: Path, name: str = "refcoco", by: str = "unc") -> Path:
    """One image with two references of two sentences and one."""
    folder = miniature.write_refcoco(root, name)
    refs = [miniature.ref(1, "train", ["red cup", "the left cup"]), miniature.ref(2, "train", ["right cup"], 71)]
    return write_json(folder / f"refs({by}).json", refs)


def write_visual_genome(root: Path) -> None:
    regions = [
        {"region_id": 1, "image_id": 3, "phrase": "a red cup ", "x": 4, "y": 6, "width": 8, "height": 12},
        {"region_id": 2, "image_id": 3, "phrase": "the table", "x": -1, "y": 12, "width": 40, "height": 20},
    ]
    write_json(root / "region_descriptions.json", [{"id": 3, "regions": regions}])
    miniature.write_image(root / "VG_100K_2/3.jpg")


def write_dancetrack(root: Path) -> None:
    miniature.write_mot_sequence(root / "train/dancetrack0001", digits=8)
    write_text(root / "train_seqmap.txt", ["name", "dancetrack0001"])


def write_gqa(root: Path) -> None:
    entries = {str(number): {"question": f"Is it {number}?", "imageId": "n1", "answer": "yes"} for number in range(3)}
    write_json(root / "train_balanced_questions.json", entries)
    miniature.write_image(root / "images/n1.jpg")


def write_msvd_qa(root: Path) -> None:
    write_json(root / "train_qa.json", miniature.VIDEO_QA)
    write_text(root / "youtube_mapping.txt", ["one vid7", "two vid8"])
    for name in ("one", "two"):
        write_video(root / "YouTubeClips" / f"{name}.avi")


def write_msrvtt_qa(root: Path) -> None:
    write_json(root / "train_qa.json", miniature.VIDEO_QA)
    for number in (7, 8):
        write_video(root / f"TrainValVideo/video{number}.mp4")


def write_activitynet_qa(root: Path) -> None:
    write_json(root / "train_q.json", [{"video_name": "a", "question": "is it red?", "question_id": "v_a_1"}])
    write_json(root / "train_a.json", [{"answer": "no", "type": 3, "question_id": "v_a_1"}])
    write_video(root / "videos/v_a.mp4")


def write_tgif_qa(root: Path) -> None:
    head = "gif_name\tquestion\tanswer\ttype\tvid_id\tkey\tdescription"
    write_text(root / "Train_frameqa_question.csv", [head, "a\twhat is it ?\tcat\t0\tID1\t12\t-"])
    write_video(root / "gifs/a.mp4")


def write_coco_captions(root: Path) -> None:
    table = {
        "images": [{"id": 9, "file_name": "COCO_train2014_000000000009.jpg"}],
        "annotations": [{"image_id": 9, "id": number, "caption": f"cup {number}"} for number in range(2)],
    }
    write_json(root / "annotations/captions_train2014.json", table)
    miniature.write_image(root / "train2014/COCO_train2014_000000000009.jpg")


def write_msrvtt(root: Path) -> None:
    table = {
        "videos": [{"video_id": "video7", "split": "train", "category": 1}],
        "sentences": [{"video_id": "video7", "caption": "a man runs"}],
    }
    write_json(root / "train_val_videodatainfo.json", table)
    write_video(root / "TrainValVideo/video7.mp4")


LAYOUTS = {
    "refcoco": write_refcoco,
    "refcoco+": lambda root: write_refcoco(root, "refcoco+"),
    "refcocog": lambda root: write_refcoco(root, "refcocog", "umd"),
    "flickr30k": lambda root: miniature.write_flickr30k(root, split="train"),
    "visual-genome": write_visual_genome,
    "lasot": lambda root: miniature.write_lasot(root, "cup-2", BOXES * 2, "0,0,0,1,0,0", "0,0,0,0,0,0"),
    "got10k": lambda root: miniature.write_got10k(root, "train", "8,0,3,8,8", ("1,2,10,20",) * 5),
    "dancetrack": write_dancetrack,
    "mot16": lambda root: miniature.write_mot_sequence(root / "train/MOT16-02"),
    "vqa-v2": lambda root: miniature.write_ok_vqa(root, prefix="v2_", split="train2014"),
    "ok-vqa": lambda root: miniature.write_ok_vqa(root, split="train2014"),
    "gqa": write_gqa,
    "msvd-qa": write_msvd_qa,
    "msrvtt-qa": write_msrvtt_qa,
    "activitynet-qa": write_activitynet_qa,
    "tgif-qa": write_tgif_qa,
    "coco-captions": write_coco_captions,
    "msrvtt": write_msrvtt,
}
"""A writer of each official layout, with the split for training."""


def write_tar(path: Path, files: list[tuple[str, bytes]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, data in files:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


def write_shards(config: RecordsConfig, folder: Path) -> None:
    """Two shards as img2dataset writes them: with regions where the set asks for them, else with captions."""
    for shard in range(2):
        files = []
        for number in range(COUNT // 2):
            key = f"{shard:05d}{number:04d}"
            media = folder / f"media{'.mp4' if config.max_frames > 1 else '.jpg'}"
            write_video(media) if config.max_frames > 1 else write_image(media, 10 * shard + number)
            entry = {"key": key, **(GRIT if "rec" in config.tasks else {"caption": "a small ring"})}
            files += [(f"{key}{media.suffix}", media.read_bytes()), (f"{key}.json", json.dumps(entry).encode())]
            files.append((f"{key}.txt", b"a small ring"))
            media.unlink()
        write_tar(folder / f"{shard:05d}.tar", files)
    write_index(folder)


def write_records(config: RecordsConfig, folder: Path) -> None:
    """A set of records as its config names it, below a folder."""
    path = folder / config.path
    path.parent.mkdir(parents=True, exist_ok=True)
    if config.reader in LAYOUTS:
        LAYOUTS[config.reader](path)
    elif config.reader == "shards":
        path.mkdir()
        write_shards(config, path)
    else:
        media = folder / config.media if config.media else path.parent
        entries = [_entry(config, media, number) for number in range(COUNT)]
        lines = config.reader == "tracks" or path.suffix == ".jsonl"
        path.write_text("".join(json.dumps(entry) + "\n" for entry in entries) if lines else json.dumps(entries))


def write_data(stages: list[TrainConfig], folder: Path) -> None:
    sets = {(records.reader, records.path): records for stage in stages for records in stage.records}
    for records in sets.values():
        write_records(records, folder)


def _entry(config: RecordsConfig, media: Path, number: int) -> dict[str, object]:
    if config.reader == "tracks":
        names = [f"frames/{number}/{frame:06d}.jpg" for frame in range(TRACK_FRAMES)]
        for frame, name in enumerate(names):
            write_image(media / name, 100 * number + frame)
        return {
            "id": number, "vid": "clip", "frames": names, "box": [BOX] * TRACK_FRAMES, "frame_size": [40, 30],
            "object_class": "ring", "object_description": "a small ring",
        }  # fmt: skip
    is_video = config.max_frames > 1
    name = f"{number}.mp4" if is_video else f"{number}.png"
    (write_video if is_video else lambda path: write_image(path, number))(media / name)
    entry = {"id": f"r{number}", "video" if is_video else "image": name}
    if config.reader == "captions":
        return {**entry, "caption": "a small ring"}
    if config.reader == "regions":
        return {**entry, "box": BOX, "caption": "the small ring"}
    answer = REPLY if "invocation" in config.tasks else "A ring."
    said = [("human", "<image>\nWhat is it?"), ("gpt", answer), ("human", "Is it small?"), ("gpt", "Yes.")]
    return {**entry, "conversations": [{"from": who, "value": value} for who, value in said]}
