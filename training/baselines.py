"""Replies that need no model: the bounds between which its numbers lie."""

import numpy as np

from training.questions import Question
from vitron_ros.model.answers import Box, one_box_text, track_text

CENTRE: Box = (0.35, 0.35, 0.65, 0.65)


def oracle(questions: list[Question]) -> list[str]:
    """The right replies: what the replies' form and its whole numbers allow at best."""
    return [question.answer for question in questions]


def centre(questions: list[Question]) -> list[str]:
    """A box in the middle of every frame; to other tasks what an empty mind says."""
    return [_centre(question) for question in questions]


def _centre(question: Question) -> str:
    sample = question.sample
    if sample.task == "rec":
        return one_box_text(CENTRE)
    if sample.task in ("rsot", "sot"):
        return track_text({number + 1: CENTRE for number in range(len(sample.frames))})
    return "yes" if sample.task in ("vqa", "video_qa") else ""


def chance(questions: list[Question], seed: int = 0) -> list[str]:
    """The right reply to another question of the same task, drawn at random."""
    rng = np.random.Generator(np.random.PCG64(seed))
    tasks = sorted({question.sample.task for question in questions})
    replies = [question.answer for question in questions]
    for task in tasks:
        places = [index for index, question in enumerate(questions) if question.sample.task == task]
        for place, other in zip(places, rng.permutation(places).tolist(), strict=True):
            replies[place] = questions[other].answer
    return replies
