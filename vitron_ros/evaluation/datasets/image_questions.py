"""Questions about images: OK-VQA, GQA, VSR, IconQA, VizWiz and Hateful Memes, as each is distributed.

Answers are kept as written; which rule normalises them is the metric's business.
"""

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from vitron_ros.errors import SourceError
from vitron_ros.evaluation.datasets.catalogue import Entries
from vitron_ros.evaluation.datasets.files import read_json, read_json_lines, required, value
from vitron_ros.evaluation.datasets.question import Question, by_id, check_images, check_same_ids
from vitron_ros.natural_sort import natural_sorted

OK_VQA_HOW = "OK-VQA is at okvqa.allenai.org, its images are val2014 and train2014 of cocodataset.org"
VQA_V2_HOW = "VQA v2 is at visualqa.org, its images are train2014 and val2014 of cocodataset.org"
GQA_HOW = "GQA is at cs.stanford.edu/people/dorarad/gqa"
VSR_HOW = "VSR is at github.com/cambridgeltl/visual-spatial-reasoning; its images belong into images/"
ICONQA_HOW = "IconQA is at iconqa.github.io"
VIZWIZ_HOW = "VizWiz is at vizwiz.org/tasks-and-datasets/vqa"
MEMES_HOW = "Hateful Memes is given by Meta AI after a form; its licence forbids copies"
MEMES_SPLITS = ("dev", "test", "train", "dev_seen", "dev_unseen", "test_seen", "test_unseen")
ICONQA_TASKS = ("choose_txt", "choose_img", "fill_in_blank")
ICONQA_SPLITS = tuple(f"{split}/{task}" for split in ("val", "test", "train") for task in ICONQA_TASKS)
VSR_SPLITS = tuple(f"{kind}/{split}" for kind in ("zeroshot", "random") for split in ("test", "dev", "train"))


def read_ok_vqa(root: Path, split: str) -> list[Question]:
    """OK-VQA, "val2014" or "train2014": ten annotators each; joined by question_id.

    Raises:
        SourceError: a file or image is missing or damaged, or questions and answers have different ids; so of all here.
    """
    return check_images([read() for read in coco_vqa_entries("", OK_VQA_HOW, root, split)], OK_VQA_HOW)


def coco_vqa_entries(prefix: str, how_to_get: str, root: Path, split: str) -> Entries[Question]:
    """Questions about COCO's images, one at a time; images are not looked for.

    Args:
        prefix: of the files' names: "" is OK-VQA, "v2_" VQA v2, whose files have the same form.

    Raises:
        SourceError: a file is missing or damaged, or questions and answers have different ids.
    """
    questions_file = required(root / f"{prefix}OpenEnded_mscoco_{split}_questions.json", how_to_get)
    answers_file = required(root / f"{prefix}mscoco_{split}_annotations.json", how_to_get)
    questions = _listed(questions_file, "questions", "question_id")
    annotations = _listed(answers_file, "annotations", "question_id")
    check_same_ids(questions, annotations, answers_file)

    def read(number: object, entry: Mapping[str, Any]) -> Question:
        return Question(
            name=str(number),
            media=root / split / f"COCO_{split}_{value(entry, 'image_id', int, str(number)):012d}.jpg",
            text=value(entry, "question", str, f"{questions_file}, question {number}"),
            answers=_annotated(annotations[number], f"{answers_file}, question {number}"),
            category=str(annotations[number].get("question_type", "")),
        )

    return [partial(read, *each) for each in questions.items()]


def read_gqa(root: Path, split: str) -> list[Question]:
    """GQA, "testdev" or "val", balanced."""
    return check_images([read() for read in gqa_entries(root, split)], GQA_HOW)


def gqa_entries(root: Path, split: str) -> Entries[Question]:
    """GQA, balanced, one question at a time; images are not looked for.

    Raises:
        SourceError: the file is missing or damaged.
    """
    file = required(root / f"{split}_balanced_questions.json", GQA_HOW)

    def read(number: str, entry: Mapping[str, Any]) -> Question:
        where = f"{file}, question {number}"
        return Question(
            name=number,
            media=root / "images" / f"{value(entry, 'imageId', str, where)}.jpg",
            text=value(entry, "question", str, where),
            answers=(value(entry, "answer", str, where),),
            category=str((entry.get("types") or {}).get("structural", "")),
        )

    return [partial(read, *each) for each in read_json(file, dict).items()]


def read_vsr(root: Path, split: str) -> list[Question]:
    """VSR, "zeroshot/test" and so on: a statement, which is "true" or "false"."""
    file = required(root / f"{split}.jsonl", VSR_HOW)
    return check_images(
        [
            Question(
                name=str(number),
                media=root / "images" / value(entry, "image", str, where),
                text=value(entry, "caption", str, where),
                answers=(("false", "true")[_label(entry, where)],),
                choices=("true", "false"),
                category=str(entry.get("relation", "")),
            )
            for number, (where, entry) in enumerate(read_json_lines(file))
        ],
        VSR_HOW,
    )


def read_iconqa(root: Path, split: str) -> list[Question]:
    """IconQA, "val/choose_txt" and so on; names are the folders' numbers."""
    base = root / "iconqa_data" / "iconqa" if (root / "iconqa_data").is_dir() else root
    folders = [path for path in required(base / split, ICONQA_HOW).iterdir() if path.is_dir()]
    if not folders:
        raise SourceError(f"{base / split} is empty; {ICONQA_HOW}")
    questions = [_iconqa(required(folder / "data.json", ICONQA_HOW)) for folder in natural_sorted(folders)]
    return check_images(questions, ICONQA_HOW)


def read_vizwiz(root: Path, split: str) -> list[Question]:
    """VizWiz, "val", "train" or "test": ten annotators each, none in test; the category says "unanswerable"."""
    file = required(root / "Annotations" / f"{split}.json", VIZWIZ_HOW)
    entries = by_id(read_json(file, list), "image", file)
    return check_images(
        [
            Question(
                name=Path(image).stem,
                media=root / split / image,
                text=value(entry, "question", str, f"{file}, {image}"),
                answers=() if split == "test" else _annotated(entry, f"{file}, {image}"),
                category=str(entry.get("answer_type", "")),
            )
            for image, entry in entries.items()
        ],
        VIZWIZ_HOW,
    )


def read_hateful_memes(root: Path, split: str) -> list[Question]:
    """Hateful Memes: the words in the image, and "yes" where it is hateful, else "no"."""
    file = required(root / f"{split}.jsonl", MEMES_HOW)
    entries = list(read_json_lines(file))
    by_id([entry for _, entry in entries], "id", file)
    return check_images(
        [
            Question(
                name=str(entry["id"]),
                media=root / value(entry, "img", str, where),
                text=value(entry, "text", str, where),
                answers=(("no", "yes")[_label(entry, where)],) if "label" in entry else (),
                choices=("yes", "no"),
            )
            for where, entry in entries
        ],
        MEMES_HOW,
    )


def _listed(file: Path, key: str, identity: str) -> dict[Any, Mapping[str, Any]]:
    entries: Iterable[Any] = value(read_json(file, dict), key, list, str(file))
    return by_id(entries, identity, file)


def _annotated(entry: Mapping[str, Any], where: str) -> tuple[str, ...]:
    answers = tuple(value(item, "answer", str, where) for item in value(entry, "answers", list, where))
    if not answers:
        raise SourceError(f"{where} has no answers; fetch the file again")
    return answers


def _label(entry: Mapping[str, Any], where: str) -> int:
    label = value(entry, "label", int, where)
    if label not in (0, 1):
        raise SourceError(f"{where}: label should be 0 or 1; fetch the file again")
    return label


def _iconqa(file: Path) -> Question:
    entry, where = read_json(file, dict), str(file)
    task = file.parents[1].name
    choices = () if task == "fill_in_blank" else tuple(map(str, value(entry, "choices", list, where)))
    answer = str(entry.get("answer", ""))
    if choices:
        number = value(entry, "answer", int, where)
        if not 0 <= number < len(choices):
            raise SourceError(f"{where}: answer {number} is not among the {len(choices)} choices; fetch it again")
        answer = choices[number]
    elif not answer:
        raise SourceError(f"{where} has no answer; fetch it again")
    return Question(
        name=file.parent.name,
        media=file.with_name("image.png"),
        text=value(entry, "question", str, where),
        answers=(answer,),
        choices=choices,
        category=task,
    )
