"""Do what a sentence says with a picture, video or bag: track, cut out, remove, recolour, move, draw, answer.

A sentence may ask for several things, which are done one after the other. Several sentences are one conversation: "it"
is what the last was about, and there are "undo", "again, but blue" and "the other one". Of a video the whole is worked
on, unless the sentence speaks of a picture or `--at` is given. Where a sentence fails, the result of those before it is
written. What was only followed is drawn on the images; `vitron track` writes its boxes, too."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from tqdm import tqdm

from vitron_ros.cli.exit_code import DONE, FAILED, NOT_FOUND
from vitron_ros.cli.module_options import (
    add_backend_options,
    add_generation_options,
    add_input_options,
    add_result_options,
    backends_of,
    check_results,
    settings_of,
)
from vitron_ros.cli.options import (
    add_min_score_option,
    add_model_options,
    model_run,
)
from vitron_ros.commands.chain import Reply, do
from vitron_ros.commands.conversation import Conversation
from vitron_ros.commands.failure import CommandFailure, Outcome
from vitron_ros.commands.plan import Plan
from vitron_ros.modules.module import Progress
from vitron_ros.offline.module_input import read_frames
from vitron_ros.offline.module_output import write_results
from vitron_ros.offline.recorded_world import RecordedPictures, RecordedWorld
from vitron_ros.streaming.models import BUNDLED, load_model

EPILOG = """exit code: 0 done; 3 not found, refused, not understood or not sure enough; 1 failed
examples:
  vitron do clip.mp4 "cut out the green star" --out out/star
  vitron do photo.jpg "remove the red ring and make the mug blue" --out out/photo
  vitron do photo.jpg "make this blue" "again, but green" --region 230,180,320,260 --out out/green"""

NOT_DONE = (Outcome.NOT_FOUND, Outcome.REFUSED, Outcome.REJECTED, Outcome.NOT_UNDERSTOOD, Outcome.UNSURE)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_input_options(parser)
    parser.add_argument("text", nargs="+", help="what to do; several sentences are one conversation")
    parser.add_argument(
        "--model",
        default=BUNDLED,
        help=f"that finds things: {BUNDLED}, a folder, hub id or address (default: {BUNDLED})",
    )
    add_model_options(parser)
    add_min_score_option(parser)
    add_backend_options(parser)
    add_result_options(parser)
    add_generation_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0; 3 where a thing is not there, or the text is refused; 1 where something fails."""
    check_results(arguments)
    world = RecordedWorld(
        frames=read_frames(arguments.source, fps=arguments.fps, topic=arguments.topic, at_s=arguments.at),
        load=lambda: load_model(arguments.model, model_run(arguments)),
        backends=backends_of(arguments),
        regions=tuple(arguments.region),
        seed=arguments.seed,
        settings=settings_of(arguments),
        min_score=arguments.min_score,
    )
    conversation: Conversation[RecordedPictures] = Conversation()
    done: list[dict[str, Any]] = []
    code = DONE
    try:
        for text in arguments.text:
            reply = _do(text, world, conversation)
            done.append(_as_json(text, reply))
            if not arguments.json:
                print(reply.text)
    except CommandFailure as error:
        print(f"vitron do: {error}", file=sys.stderr)
        code = NOT_FOUND if error.outcome in NOT_DONE else FAILED
    pictures = conversation.last_pictures or world.drawn()
    if code != DONE and pictures is None:
        return code
    path = _write(pictures, arguments.out, arguments.formats) if pictures is not None else None
    if arguments.json:
        print(json.dumps({"source": arguments.source, "done": done, "path": None if path is None else str(path)}))
    elif path is not None:
        print(f"look at {path}")
    return code


def _do(text: str, world: RecordedWorld, conversation: Conversation[RecordedPictures]) -> Reply[RecordedPictures]:
    with tqdm(total=1.0, desc=text[:40], file=sys.stderr, disable=None, bar_format="{l_bar}{bar}|{postfix}") as bar:
        progress = Progress(lambda fraction, preview: bar.update(fraction - bar.n))

        def tell(number: int, plan: Plan, said: str) -> None:
            bar.set_postfix_str(f"step {number} of {len(plan)}: {plan[number - 1].text}")

        return do(text, world, conversation, progress, tell)


def _write(pictures: RecordedPictures, out: Path, formats: list[str]) -> Path:
    return write_results(out, pictures.job, pictures.shown, formats)


def _as_json(text: str, reply: Reply[RecordedPictures]) -> dict[str, Any]:
    target = reply.target
    box = None
    if target is not None and target.region is not None and len(target.region.points):
        box = [*target.region.points.min(axis=0).round(2).tolist(), *target.region.points.max(axis=0).round(2).tolist()]
    about = None if target is None else {"phrase": target.phrase, "box_xyxy": box, "track_id": target.track_id}
    return {"text": text, "reply": reply.text, "target": about}
