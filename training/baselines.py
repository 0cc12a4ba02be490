"""Baselines without a model, and the oracle: lower and upper bounds of the metrics."""

import numpy as np

from training.questions import WorldQuestion
from vitron_ros.model.answers import Box, one_box_text, track_text

CENTRE: Box = (0.35, 0.35, 0.65, 0.65)


def oracle(questions: list[WorldQuestion]) -> list[str]:
    """The ground truth: what the reply format with its whole numbers allows at best."""
    return [question.answer for question in questions]


def centre(questions: list[WorldQuestion]) -> list[str]:
    """A box in the middle of every frame; a constant answer to other tasks."""
    return [_centre(question) for question in questions]


def _centre(question: WorldQuestion) -> str:
    sample = question.sample
    if sample.task == "rec":
        return one_box_text(CENTRE)
    if sample.task in ("rsot", "sot"):
        return track_text({number + 1: CENTRE for number in range(len(sample.frames))})
    return "yes" if sample.task in ("vqa", "video_qa") else ""


def chance(questions: list[WorldQuestion], seed: int = 0) -> list[str]:
    """Shuffled answers: the right reply to another question of the same task."""
    rng = np.random.Generator(np.random.PCG64(seed))
    tasks = sorted({question.sample.task for question in questions})
    replies = [question.answer for question in questions]
    for task in tasks:
        places = [index for index, question in enumerate(questions) if question.sample.task == task]
        for place, other in zip(places, rng.permutation(places).tolist(), strict=True):
            replies[place] = questions[other].answer
    return replies
