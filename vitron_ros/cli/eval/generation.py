"""Is what was asked for in the picture?"""

import argparse
import json
import sys
from dataclasses import asdict

import numpy as np
from tqdm import tqdm

from vitron_ros.boxes import Boxes
from vitron_ros.cli.numbers import whole
from vitron_ros.cli.options import add_json_option, add_model_options, model_run
from vitron_ros.config import ModelRun
from vitron_ros.evaluation.generation import PromptScore, make_plan, score_prompt
from vitron_ros.frame import Frame
from vitron_ros.grounding.request import ModelRequest, ReplyStatus, Task
from vitron_ros.modules.backends import load_backend
from vitron_ros.modules.module import EMBEDDED
from vitron_ros.streaming.answering import unchecked_answers
from vitron_ros.streaming.models import BUNDLED, load_model

EPILOG = "example: vitron eval generation --prompts 200 --json"
FIGURES = {
    "drawn": "not refused",
    "has_colour": "the asked colour in the asked thing's box",
    "has_silhouette": "the asked silhouette there",
    "in_place": "where it was asked for",
    "found": "found by the judge",
    "found_in_truth": "found by the judge in a drawing of the plan itself",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--prompts", type=whole(1), default=200, help="how many (200)")
    parser.add_argument("--seed", type=whole(0), default=0, help="of the prompts (0)")
    parser.add_argument("--backend", default=EMBEDDED, help=f"or the folder of a model ({EMBEDDED})")
    parser.add_argument("--model", default=BUNDLED, help=f"the judge, a name or folder ({BUNDLED})")
    add_model_options(parser)
    add_json_option(parser, "figures and every prompt")


def run(arguments: argparse.Namespace) -> int:
    judge = load_model(arguments.model, model_run(arguments))
    backend = load_backend("generation", arguments.backend, ModelRun())

    def find(frame: Frame, phrase: str) -> Boxes | None:
        request = ModelRequest(id="judge", task=Task.FIND, frames=(frame,), text=phrase, is_placed=False)
        (reply,) = unchecked_answers(judge, [request])
        return reply.boxes_xyxy[-1] if reply.status is ReplyStatus.OK and reply.boxes_xyxy is not None else None

    rng = np.random.Generator(np.random.PCG64(arguments.seed))
    plans = [make_plan(rng) for _ in range(arguments.prompts)]
    scores: list[PromptScore] = [
        score_prompt(backend, plan, seed, find)
        for seed, plan in enumerate(tqdm(plans, unit="prompt", file=sys.stderr, disable=None))
    ]
    figures = {name: float(np.mean([getattr(score, name) for score in scores])) for name in FIGURES}
    figures["found_ratio"] = figures["found"] / max(figures["found_in_truth"], 1e-9)
    if arguments.json:
        print(json.dumps({"figures": figures, "prompts": [asdict(score) for score in scores]}))
        return 0
    for name, told in FIGURES.items():
        print(f"{100 * figures[name]:6.1f} %  {told}")
    print(f"{figures['found_ratio']:8.3f}  found, of what the judge finds in drawings of the plans")
    return 0
