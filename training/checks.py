"""`python -m training.checks --clips 400`: true and false boxes without and with the runtime's checks.

REC phrases about validation clips of one frame, and for each that has a target two that match nothing: with its colour
or its shape swapped for one that the clip does not have. Boxes count from the runtime's `model_min_score` on.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.evaluate import EvaluationCase, cases
from training.questions import true_boxes
from vitron_ros.boxes import Boxes, iou
from vitron_ros.config import PipelineConfig
from vitron_ros.errors import VitronError
from vitron_ros.frame import Frame
from vitron_ros.grounding.grounder import Grounder
from vitron_ros.grounding.request import ModelReply, ModelRequest, ReplyStatus, Task
from vitron_ros.model.checkpoint import load_checkpoint
from vitron_ros.streaming.answering import answers, unchecked_answers
from vitron_ros.worlds.vocabulary import COLOURS, SHAPES

RIGHT_IOU = 0.5


@dataclass(frozen=True, eq=False)
class CheckedPhrase:
    """A phrase about a frame; no true box: it matches nothing."""

    kind: str
    text: str
    frame: Frame
    true_xyxy: Boxes | None


def phrases(validation: Sequence[EvaluationCase], rng: np.random.Generator) -> list[CheckedPhrase]:
    """The validation phrases, "unchanged", and those with the colour or the shape swapped."""
    made = []
    for number, case in enumerate(validation, 1):
        sample = case.question.sample
        if sample.history:
            continue
        rgb = np.ascontiguousarray(case.clip.frames[sample.frames[0]])
        frame = Frame(rgb=rgb, stamp_ns=number)
        true = None if sample.target is None else true_boxes(case.clip, sample)[0]
        made.append(CheckedPhrase("unchanged", sample.expression, frame, true))
        if sample.target is None:
            continue
        spec = case.clip.objects[sample.target]
        present = {(item.colour, item.shape) for item in case.clip.objects}
        colours = [colour for colour in COLOURS if (colour, spec.shape) not in present]
        shapes = [shape for shape in SHAPES if (spec.colour, shape) not in present]
        made.append(CheckedPhrase("colour swapped", f"the {rng.choice(colours)} {spec.shape}", frame, None))
        made.append(CheckedPhrase("shape swapped", f"the {spec.colour} {rng.choice(shapes)}", frame, None))
    return made


def box_of(reply: ModelReply, min_score: float) -> Boxes | None:
    """The box that the runtime would accept."""
    if reply.status is not ReplyStatus.OK or reply.boxes_xyxy is None or reply.score < min_score:
        return None
    return reply.boxes_xyxy[0] if np.isfinite(reply.boxes_xyxy[0]).all() else None


def main(argv: Sequence[str] | None = None) -> int:
    """Prints right and wrong boxes without and with the checks; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m training.checks", description=__doc__)
    parser.add_argument("--checkpoint", default="vitron-tiny", help="bundled name or folder (%(default)s)")
    parser.add_argument("--clips", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args(argv)
    try:
        profile = load_checkpoint(arguments.checkpoint).prompts.profile
        made = phrases(cases("rec", arguments.clips, profile, seed=arguments.seed), np.random.default_rng(0))
        model = Grounder.load(arguments.checkpoint)
    except VitronError as error:
        print(error, file=sys.stderr)
        return 1
    requests = [
        ModelRequest(id=str(number), task=Task.FIND, frames=(phrase.frame,), text=phrase.text)
        for number, phrase in enumerate(made)
    ]
    min_score = PipelineConfig().model_min_score
    for name, ask in (("without", unchecked_answers), ("with", answers)):
        boxes = [box_of(reply, min_score) for reply in ask(model, requests)]
        for kind in dict.fromkeys(phrase.kind for phrase in made):
            own = [(phrase, box) for phrase, box in zip(made, boxes, strict=True) if phrase.kind == kind]
            right = sum(
                box is not None and phrase.true_xyxy is not None and bool(iou(box, phrase.true_xyxy) >= RIGHT_IOU)
                for phrase, box in own
            )
            given = sum(box is not None for _, box in own)
            print(f"{name} checks, {kind}: of {len(own)} phrases {right} right boxes, {given - right} wrong ones")
    return 0


if __name__ == "__main__":
    sys.exit(main())
