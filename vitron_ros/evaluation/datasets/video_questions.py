"""Questions about videos: MSVD-QA, MSRVTT-QA (Xu et al., MM 2017), TGIF-QA (Jang et al., CVPR 2017), ActivityNet-QA
(Yu et al., AAAI 2019). Videos are found anywhere below the folder by their name, with any ending.
"""

import csv
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from vitron_ros.errors import SourceError
from vitron_ros.evaluation.datasets.catalogue import Entries
from vitron_ros.evaluation.datasets.files import read_json, read_lines, required, value
from vitron_ros.evaluation.datasets.question import Question, by_id, check_same_ids

MSVD_HOW = "questions of MSVD-QA are at github.com/xudejing/video-question-answering, its videos are YouTubeClips"
MSRVTT_HOW = "questions of MSRVTT-QA are at github.com/xudejing/video-question-answering, its videos those of MSR-VTT"
TGIF_HOW = "TGIF-QA is at github.com/YunseokJANG/tgif-qa"
ACTIVITYNET_HOW = "questions of ActivityNet-QA are at github.com/MILVLG/activitynet-qa, its videos at activity-net.org"
SUFFIXES = (".avi", ".gif", ".mkv", ".mp4", ".webm")
TGIF_TASKS = ("frameqa", "count", "action", "transition")
_CHOICES = ("a1", "a2", "a3", "a4", "a5")


def read_msvd_qa(root: Path, split: str) -> list[Question]:
    """MSVD-QA; youtube_mapping.txt says which video is vid<n>.

    Raises:
        SourceError: a file is missing or damaged, there is not one video, or the mapping lacks one.
    """
    return [read() for read in msvd_qa_entries(root, split)]


def msvd_qa_entries(root: Path, split: str) -> Entries[Question]:
    """MSVD-QA, one question at a time.

    Raises:
        SourceError: a file is missing or damaged, or there is not one video.
    """
    mapping = required(root / "youtube_mapping.txt", MSVD_HOW)
    names = {number: name for name, _, number in (line.strip().rpartition(" ") for line in read_lines(mapping))}
    file = required(root / f"{split}_qa.json", MSVD_HOW)
    videos = _videos(root, MSVD_HOW)

    def read(number: object, entry: Mapping[str, Any]) -> Question:
        media = _found(videos, names.get(f"vid{entry.get('video_id')}"), mapping, entry)
        return _question(str(number), media, entry, file)

    return [partial(read, *each) for each in by_id(read_json(file, list), "id", file).items()]


def read_msrvtt_qa(root: Path, split: str) -> list[Question]:
    """MSRVTT-QA.

    Raises:
        SourceError: a file is missing or damaged, or there is not one video.
    """
    return [read() for read in msrvtt_qa_entries(root, split)]


def msrvtt_qa_entries(root: Path, split: str) -> Entries[Question]:
    """MSRVTT-QA, one question at a time; raises as `read_msrvtt_qa`."""
    file = required(root / f"{split}_qa.json", MSRVTT_HOW)
    videos = _videos(root, MSRVTT_HOW)

    def read(number: object, entry: Mapping[str, Any]) -> Question:
        return _question(str(number), _found(videos, f"video{entry.get('video_id')}", file, entry), entry, file)

    return [partial(read, *each) for each in by_id(read_json(file, list), "id", file).items()]


def read_activitynet_qa(root: Path, split: str) -> list[Question]:
    """ActivityNet-QA; questions and answers are joined by question_id, in whatever order they are.

    Raises:
        SourceError: a file is missing or damaged, their ids differ, or there is not one video.
    """
    return [read() for read in activitynet_qa_entries(root, split)]


def activitynet_qa_entries(root: Path, split: str) -> Entries[Question]:
    """ActivityNet-QA, one question at a time; raises as `read_activitynet_qa`."""
    question_file, answer_file = (required(root / f"{split}_{kind}.json", ACTIVITYNET_HOW) for kind in "qa")
    questions, answers = (by_id(read_json(file, list), "question_id", file) for file in (question_file, answer_file))
    check_same_ids(questions, answers, answer_file)
    videos = _videos(root, ACTIVITYNET_HOW)

    def read(number: object, entry: Mapping[str, Any]) -> Question:
        media = _found(videos, f"v_{entry.get('video_name')}", question_file, entry)
        given = {"answer": answers[number].get("answer"), "category_id": answers[number].get("type")}
        return _question(str(number), media, {**entry, **given}, question_file)

    return [partial(read, *each) for each in questions.items()]


def read_tgif_qa(task: str, root: Path, split: str) -> list[Question]:
    """A task of TGIF-QA, "frameqa", "count", "action" or "transition"; the last two have five choices.

    Raises:
        SourceError: a file is missing or damaged, or there is not one video.
    """
    return [read() for read in tgif_qa_entries(task, root, split)]


def tgif_qa_entries(task: str, root: Path, split: str) -> Entries[Question]:
    """A task of TGIF-QA, one question at a time; raises as `read_tgif_qa`."""
    file = required(root / f"{split.title()}_{task}_question.csv", TGIF_HOW)
    videos = _videos(root, TGIF_HOW)

    def read(number: int, row: Mapping[str, Any]) -> Question:
        entry = {key: text for key, text in row.items() if key and isinstance(text, str)}
        media = _found(videos, entry.get("gif_name"), file, entry)
        return _tgif_question(task, media, entry, f"{file}, line {number}")

    return [partial(read, *each) for each in enumerate(csv.DictReader(read_lines(file), delimiter="\t"), 2)]


def _tgif_question(task: str, media: Path, entry: dict[str, str], where: str) -> Question:
    read = partial(value, entry, kind=str, where=where)
    choices = tuple(read(key) for key in _CHOICES) if task in ("action", "transition") else ()
    answer = read("answer")
    if choices:
        if not answer.isdecimal() or int(answer) >= len(choices):
            raise SourceError(f"{where}: answer {answer!r} is not among the choices 0 to 4; fetch it again")
        answer = choices[int(answer)]
    return Question(
        name=f"{entry.get('key', '')}-{entry['gif_name']}-{where.rpartition(' ')[2]}",
        media=media,
        text=read("question"),
        answers=(answer,),
        choices=choices,
        category=entry.get("type", task),
    )


def _videos(root: Path, how_to_get: str) -> dict[str, Path]:
    videos = {path.stem: path for path in sorted(root.rglob("*")) if path.suffix.lower() in SUFFIXES}
    if not videos:
        raise SourceError(f"{root} holds no video; {how_to_get}")
    return videos


def _found(videos: dict[str, Path], name: str | None, where: Path, entry: object) -> Path:
    """The file of a video; one that is missing has a path all the same, and is named when it is opened."""
    if not name:
        raise SourceError(f"{where} does not say which video this is of: {str(entry)[:100]}")
    return videos.get(name) or next(iter(videos.values())).with_name(f"{name}.mp4")


def _question(name: str, media: Path, entry: object, file: Path) -> Question:
    where = f"{file}, question {name}"
    category = entry.get("category_id", "") if isinstance(entry, dict) else ""
    return Question(
        name=name,
        media=media,
        text=value(entry, "question", str, where),
        answers=(value(entry, "answer", str, where),),
        category=str(category),
    )
