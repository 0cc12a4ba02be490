"""Ask the model about a picture, video, webcam or bag, or tell it what to do: answers, boxes and calls of modules.

Of an image it is given that image. Of anything that moves it is given up to 8 images, a quarter of a second apart as
the node's are, of which the last is the one at --at, or the last of all; of a webcam, the first that make such a clip.
With --region it is given the last image alone, on which the region lies, unless --frames says otherwise. It looks at
the last of them alone where the text does not speak of time, or where there is a region, as in its training."""

import argparse
import json
import sys
from typing import Any

from vitron_ros.boxes import Boxes
from vitron_ros.cli.exit_code import DONE, FAILED, NOT_FOUND
from vitron_ros.cli.numbers import number, whole
from vitron_ros.cli.options import (
    add_box_options,
    add_json_option,
    add_min_score_option,
    add_model_options,
    add_source_options,
    model_run,
)
from vitron_ros.grounding.request import ReplyStatus
from vitron_ros.offline.question import Answer, ask_about
from vitron_ros.recordings.sources import open_source
from vitron_ros.streaming.models import BUNDLED, load_model

EPILOG = """exit code: 0 answered, if only that it is not there; 3 refused, not understood or not sure enough; 1 failed
examples:
  vitron ask photo.jpg "What is this?" --region 230,180,320,260
  vitron ask clip.mp4 "Which object moves left?" --at 3.5
  vitron ask bags/demo "Cut out the green star." --json"""

NO_ANSWER = (ReplyStatus.REFUSED, ReplyStatus.REJECTED, ReplyStatus.UNKNOWN, ReplyStatus.UNSURE)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", help="an image or video file, folder of images, webcam number or bag")
    parser.add_argument("text", help="a question or a command")
    add_box_options(parser, "--region", 'what "this" means in the last image')
    parser.add_argument("--at", type=number(0), metavar="SECONDS", help="time of the last image (default: the end)")
    parser.add_argument(
        "--frames", type=whole(1), metavar="N", help="images that it is given at most (default: see above)"
    )
    parser.add_argument(
        "--model",
        default=BUNDLED,
        help=f"{BUNDLED}, a folder, hub id or address, or several joined by ' + ' (default: {BUNDLED})",
    )
    add_model_options(parser)
    add_source_options(parser)
    add_min_score_option(parser)
    add_json_option(parser, "the whole reply")


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0; 3 where the text is refused or the answer is not sure enough; 1 where the model fails.

    That something is not there is an answer.
    """
    answer = ask_about(
        open_source(arguments.source, fps=arguments.fps, topic=arguments.topic),
        arguments.text,
        load_model(arguments.model, model_run(arguments)),
        at_s=arguments.at,
        regions=tuple(arguments.region),
        max_frames=arguments.frames,
        min_score=arguments.min_score,
    )
    if arguments.json:
        print(json.dumps(_as_json(arguments, answer)))
    elif answer.is_answered:
        print(answer)
    if answer.message:
        print(f"vitron ask: {answer.message}", file=sys.stderr)
    return DONE if answer.is_answered else NOT_FOUND if answer.status in NO_ANSWER else FAILED


def _as_json(arguments: argparse.Namespace, answer: Answer) -> dict[str, Any]:
    newest, call = answer.frames[-1], answer.invocation
    return {
        "source": arguments.source,
        "model": arguments.model,
        "text": arguments.text,
        "regions_xyxy": [region.points.reshape(4).tolist() for region in arguments.region],
        "frames": [{"index": frame.index, "stamp_ns": frame.stamp_ns} for frame in answer.frames],
        "width": newest.width,
        "height": newest.height,
        "status": answer.status.value,
        "message": answer.message,
        "reply": answer.text,
        "score": round(answer.score, 4),
        "grounded": [{"label": item.label, "box_xyxy": _rounded(item.box_xyxy)} for item in answer.grounded],
        "invocation": None
        if call is None
        else {
            "module": call.module.name.lower(),
            "instructions": list(call.instructions),
            "region_xyxy": None if call.box_xyxy is None else _rounded(call.box_xyxy),
        },
        "seconds": round(answer.seconds, 4),
    }


def _rounded(box_xyxy: Boxes) -> list[float]:
    return [round(value, 2) for value in box_xyxy.tolist()]
