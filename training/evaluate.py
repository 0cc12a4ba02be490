"""`python -m training.evaluate --checkpoint vitron_ros/assets/vitron-tiny --split val --json`: the metrics of a model.

Questions about held-out clips, decoded greedily, boxes and tracks with their grammar. Baselines on the same questions:
a box in the middle of the frame, and shuffled answers. Boxes are scored as in OPE (success AUC, precision normalised by
the target's size) over the frames that show the target.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast, get_args

import numpy as np
import torch
from tqdm import tqdm

from training import baselines
from training.checkpointing import latest
from training.images import read_images
from training.questions import WorldQuestion, make_question, true_boxes
from training.worlds import Clip, Task, make_clip, make_samples
from training.worlds.splits import is_held_out_pair
from vitron_ros.backends.frame_encoder import FrameEncoder, TorchFrameEncoder
from vitron_ros.boxes import Boxes, iou, xyxy_from_norm
from vitron_ros.cli.exit_code import exit_code
from vitron_ros.cli.numbers import whole
from vitron_ros.errors import ConfigError
from vitron_ros.evaluation.metrics.invocations import is_exact
from vitron_ros.evaluation.metrics.visible_frames import norm_precision, success_auc
from vitron_ros.frame import Image
from vitron_ros.model.checkpoint import Checkpoint, load_checkpoint
from vitron_ros.model.decoding import Decoder, Request
from vitron_ros.model.device import find_device
from vitron_ros.model.grammar import State, box_grammar, track_grammar
from vitron_ros.model.kv_cache import CacheKind
from vitron_ros.model.parsing import ParsedReply, parse_reply
from vitron_ros.model.prompt_profile import PromptProfile

EVALUATED: tuple[Task, ...] = ("rec", "reg", "rsot", "sot", "video_reg", "vqa", "video_qa", "invocation")
VIDEO_FRAMES = 8
NOWHERE = -1e6  # px; where a missing box is put
MAX_ANSWER = 320
IMAGE_SIZE = 128
BACKGROUNDS = 200  # real frames at most
TRIES = 40  # clips per question before the search gives up


@dataclass(frozen=True, eq=False)
class EvaluationCase:
    """A question and the clip that it is about."""

    clip: Clip
    question: WorldQuestion


def cases(
    task: Task,
    count: int,
    profile: PromptProfile,
    *,
    seed: int = 0,
    size: int = IMAGE_SIZE,
    frames: int = VIDEO_FRAMES,
    takes_regions: bool = True,
    backgrounds: Sequence[Image] = (),
) -> list[EvaluationCase]:
    """Questions of a task about as many validation clips, of a seed. An image task sees clips of one frame.

    Raises:
        ConfigError: the worlds do not give as many.
    """
    found: list[EvaluationCase] = []
    for index in range(count * TRIES):
        is_video = task in ("rsot", "sot", "video_reg", "video_qa") or (task == "invocation" and index % 2 == 1)
        length = frames if is_video else 1
        clip_seed = seed * 1_000_000_007 + index
        real = [backgrounds[clip_seed % len(backgrounds)]] if backgrounds else None
        clip = make_clip(clip_seed, frames=length, size=size, split="val", background=real)
        for sample in make_samples(clip, clip_seed, per_task=1, tasks=(task,)):
            if len(sample.frames) != length:
                continue
            question = make_question(clip, sample, profile, None, takes_regions=takes_regions)
            if question is not None:
                found.append(EvaluationCase(clip, question))
        if len(found) == count:
            return found
    raise ConfigError(f"only {len(found)} questions of {task} in {count * TRIES} clips; ask for fewer")


class ModelPredictor:
    """Answers questions with a checkpoint, several side by side."""

    def __init__(
        self, checkpoint: Checkpoint, rows: int = 16, encoder: FrameEncoder | None = None, cache: CacheKind = "full"
    ) -> None:
        """
        Args:
            encoder: of frames; None: the model's own modules.
            cache: kind of the decoder's keys and values.
        """
        self._model, self._tokenizer, self._prompts = checkpoint
        self._encoder = encoder or TorchFrameEncoder(checkpoint.model)
        self._rows, self._scale = rows, self._tokenizer.number_scale()
        self._decoder = Decoder(
            self._model.language,
            self._tokenizer,
            capacity=self._model.config.language.max_positions,
            rows=rows,
            cache=cache,
        )

    def __call__(self, cases: Sequence[EvaluationCase]) -> list[str]:
        replies: list[str] = []
        for begin in tqdm(range(0, len(cases), self._rows), disable=None, desc="questions"):
            requests = [self._request(case) for case in cases[begin : begin + self._rows]]
            replies += [answer.text for answer in self._decoder.decode(requests)]
        return replies

    @torch.inference_mode()
    def _request(self, case: EvaluationCase) -> Request:
        model, sample = self._model, case.question.sample
        pixels = model.pixels([case.clip.frames[frame] for frame in sample.frames])
        seen = self._encoder.encode(pixels, regions=bool(case.question.regions))
        regions = None if seen.features is None else model.region_tokens(seen.features, case.question.regions)
        embeds = model.splice(self._prompts.build(case.question.turns), seen.visual.tokens, regions)
        return Request(
            embeds=embeds,
            max_new_tokens=MAX_ANSWER,
            grammar=self._grammar(sample.task, len(sample.frames)),
            scale=self._scale,
        )

    def _grammar(self, task: str, frames: int) -> State | None:
        if task == "rec":
            return box_grammar(self._tokenizer)
        return track_grammar(self._tokenizer, frames) if task in ("rsot", "sot") else None


def score(cases: Sequence[EvaluationCase], replies: Sequence[str]) -> dict[str, float]:
    """The metrics of replies, each in [0, 1], of the tasks among the cases; see `docs/training.md`."""
    values: dict[str, list[float]] = {}
    for case, reply in zip(cases, replies, strict=True):
        for name, value in _scores(case, parse_reply(reply), reply):
            values.setdefault(name, []).append(value)
    return {name: round(float(np.mean(values[name])), 4) for name in sorted(values)}


def _scores(case: EvaluationCase, reply: ParsedReply, text: str) -> Iterator[tuple[str, float]]:
    clip, sample = case.clip, case.question.sample
    if sample.task == "rec":
        yield from _absence(sample.absent, reply)
        if not sample.absent:
            true = true_boxes(clip, sample)[0]
            is_right = float(iou(_first_box(reply, clip), true) >= 0.5)
            assert sample.target is not None
            spec = clip.objects[sample.target]
            yield "rec_acc50", is_right
            yield f"rec_acc50_{'unseen' if is_held_out_pair(spec.colour, spec.shape) else 'seen'}", is_right
    elif sample.task in ("rsot", "sot"):
        if sample.task == "rsot":
            yield from _absence(sample.absent, reply)
        true = true_boxes(clip, sample)
        is_seen = ~np.isnan(true[:, 0])
        if is_seen.any():
            predicted = _track(reply, clip, len(true))[is_seen]
            yield f"{sample.task}_auc", success_auc(predicted, true[is_seen])
            yield f"{sample.task}_norm_precision", norm_precision(predicted, true[is_seen])
    elif sample.task in ("reg", "video_reg"):
        yield sample.task, float(_words(text) == _words(sample.expression))
    elif sample.task == "invocation":
        yield "invocation_em", float(_is_right_invocation(case, reply))
    else:
        yield "qa_em", float(_words(text) == _words(case.question.answer))


def _absence(absent: bool, reply: ParsedReply) -> Iterator[tuple[str, float]]:
    yield "absent_recall" if absent else "false_none", float(reply.is_absent)


def _first_box(reply: ParsedReply, clip: Clip) -> Boxes:
    if not reply.boxes:
        return np.full(4, NOWHERE)
    return xyxy_from_norm(reply.boxes[0].box, clip.width, clip.height)


def _track(reply: ParsedReply, clip: Clip, frames: int) -> Boxes:
    """The boxes of a reply, (T, 4) px, empty and far away where it has none."""
    boxes = [reply.frames.get(number + 1) for number in range(frames)]
    return np.stack(
        [np.full(4, NOWHERE) if box is None else xyxy_from_norm(box, clip.width, clip.height) for box in boxes]
    )


def _is_right_invocation(case: EvaluationCase, reply: ParsedReply) -> bool:
    """By `is_exact`; where nothing is requested, whether the same words are said."""
    true = parse_reply(case.question.answer)
    if true.invocation is None and reply.invocation is None:
        return _words(reply.text) == _words(true.text)
    return is_exact(reply.invocation, true.invocation)


def _words(text: str) -> list[str]:
    return text.lower().replace(".", " ").replace(",", " ").split()


def report(
    cases: Sequence[EvaluationCase], predict: Callable[[Sequence[EvaluationCase]], list[str]]
) -> dict[str, float | dict[str, float]]:
    """The metrics of a predictor, and beside them those of the baselines on the same questions."""
    questions = [case.question for case in cases]
    return {
        **score(cases, predict(cases)),
        "baseline_centre": score(cases, baselines.centre(questions)),
        "baseline_chance": score(cases, baselines.chance(questions)),
        "oracle": score(cases, baselines.oracle(questions)),
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Evaluates a checkpoint; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m training.evaluate",
        description="Scores a checkpoint on held-out clips.",
        epilog="example: python -m training.evaluate --checkpoint out/vitron-tiny/3_invocation --split val --json",
    )
    parser.add_argument("--checkpoint", required=True, help="bundled name, checkpoint, or a run's directory")
    parser.add_argument("--split", choices=("val", "real-background"), default="val")
    parser.add_argument("--backgrounds", type=Path, help="folder of real frames for the real-background split")
    parser.add_argument("--clips", type=whole(1), default=500, help="clips a task")
    parser.add_argument("--tasks", nargs="+", choices=get_args(Task), default=list(EVALUATED))
    parser.add_argument("--seed", type=whole(0), default=0)
    parser.add_argument("--rows", type=whole(1, 1024), default=16, help="questions answered side by side")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--json", action="store_true", help="one JSON object in place of a table")
    arguments = parser.parse_args(argv)
    if (arguments.split == "real-background") != (arguments.backgrounds is not None):
        parser.error("--backgrounds goes with --split real-background")
    return exit_code("evaluate", lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    device = find_device(arguments.device)
    real = read_images(arguments.backgrounds, BACKGROUNDS) if arguments.backgrounds else []
    source = latest(Path(arguments.checkpoint)) or arguments.checkpoint
    checkpoint = load_checkpoint(source, device=device, dtype=torch.float32)
    config = checkpoint.model.config
    questions = [
        case
        for task in arguments.tasks
        for case in cases(
            cast(Task, task),
            arguments.clips,
            checkpoint.prompts.profile,
            seed=arguments.seed,
            size=config.vision.image_size,
            frames=min(VIDEO_FRAMES, config.max_frames),
            takes_regions=config.region.kind != "none",
            backgrounds=real,
        )
    ]
    result = report(questions, ModelPredictor(checkpoint, arguments.rows))
    print(json.dumps(result, indent=1) if arguments.json else table(result))
    return 0


def table(result: dict[str, float | dict[str, float]]) -> str:
    """A Markdown table of a report."""
    columns = {"model": {k: v for k, v in result.items() if isinstance(v, float)}}
    columns |= {name: value for name, value in result.items() if isinstance(value, dict)}
    lines = ["| metric | " + " | ".join(columns) + " |", "|---" * (1 + len(columns)) + "|"]
    for name in columns["model"]:
        lines.append(f"| {name} | " + " | ".join(f"{column[name]:.3f}" for column in columns.values()) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
