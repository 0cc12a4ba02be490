"""Ask the model about a picture, video, webcam or bag, or tell it what to do: answers, boxes and calls of modules.

Of an image it is given that image. Of anything that moves it is given up to 8 images, a quarter of a second apart as
the node's are, of which the last is the one at --at, or the last of all; of a webcam, the first that make such a clip.
With --region it is given the last image alone, on which the region lies, unless --frames says otherwise. It looks at
the last of them alone where the text does not speak of time, or where there is a region, as in its training."""

import argparse
import json
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

from vitron_ros.boxes import Boxes, ltwh_from_xyxy, xyxy_from_ltwh, xyxy_from_norm
from vitron_ros.cli.model_options import add_model_options, model_run
from vitron_ros.clock import SECOND_NS
from vitron_ros.config import PipelineConfig
from vitron_ros.errors import ConfigError, SourceError
from vitron_ros.frame import Frame
from vitron_ros.grounding.request import LanguageVision, ModelReply, ModelRequest, ReplyStatus, Task, text_problem
from vitron_ros.model.answers import NAMES, NONE, Invocation
from vitron_ros.recordings.sources import open_source
from vitron_ros.region import Region
from vitron_ros.streaming.answering import answers
from vitron_ros.streaming.models import BUNDLED, load_model

EPILOG = """exit code: 0 answered, if only that it is not there; 3 refused, not understood or not sure enough; 1 failed
examples:
  vitron ask photo.jpg "What is this?" --region 230,180,90,80
  vitron ask clip.mp4 "Which object moves left?" --at 3.5
  vitron ask bags/demo "Cut out the green star." --json"""

ANSWERED, FAILED, REFUSED = 0, 1, 3  # exit codes; 2 is argparse's
NO_ANSWER = (ReplyStatus.REFUSED, ReplyStatus.UNKNOWN, ReplyStatus.UNSURE)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", help="an image or video file, folder of images, webcam number or ROS 2 bag")
    parser.add_argument("text", help="a question or a command")
    parser.add_argument(
        "--region",
        action="append",
        default=[],
        metavar="X,Y,W,H",
        help='what "this" means, px of the last image; may be repeated',
    )
    parser.add_argument("--at", type=float, metavar="SECONDS", help="time of the last image (default: the end)")
    parser.add_argument("--frames", type=int, metavar="N", help="images that it is given at most (default: above)")
    parser.add_argument("--model", default=BUNDLED, help=f"{BUNDLED} or a folder (default: {BUNDLED})")
    add_model_options(parser)
    parser.add_argument("--topic", help="image topic, where a bag has several")
    parser.add_argument("--fps", type=float, help="images a second of a folder or webcam (default: 25)")
    parser.add_argument(
        "--min-score",
        type=float,
        default=PipelineConfig().model_min_score,
        metavar="SCORE",
        help="from which an answer counts, 0 to 1 (default: %(default)s, as the node's model_min_score)",
    )
    parser.add_argument("--json", action="store_true", help="print the whole reply as JSON on stdout")


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0; 3 where the text is refused or the answer is not sure enough; 1 where the model fails.

    That something is not there is an answer.
    """
    regions = tuple(Region.from_box(xyxy_from_ltwh(_numbers(text))) for text in arguments.region)
    if not arguments.text.strip():
        raise ConfigError("the text is empty; give a question or a command")
    if problem := text_problem(arguments.text):
        raise ConfigError(problem)
    if arguments.frames is not None and arguments.frames < 1:
        raise ConfigError(f"--frames {arguments.frames}: the model must see one image at least")
    if arguments.at is not None and not 0 <= arguments.at < float("inf"):
        raise ConfigError(f"--at {arguments.at}: give seconds from the start, 0 or more")
    if not 0 <= arguments.min_score <= 1:
        raise ConfigError(f"--min-score {arguments.min_score}: give a probability, 0 to 1")
    model = load_model(arguments.model, model_run(arguments))
    frames = _frames(arguments, model, 1 if regions else model.max_frames)
    request = ModelRequest(
        id="ask",
        task=Task.ASK,
        frames=frames,
        text=arguments.text,
        regions=regions,
        min_score=arguments.min_score,
    )
    reply = answers(model, [request])[0]
    is_answer = reply.status in (ReplyStatus.OK, ReplyStatus.ABSENT)
    if arguments.json:
        print(json.dumps(_as_json(arguments, request, reply)))
    elif is_answer:
        print("\n".join(_lines(reply, frames[-1])))
    if reply.message:
        print(f"vitron ask: {reply.message}", file=sys.stderr)
    return ANSWERED if is_answer else REFUSED if reply.status in NO_ANSWER else FAILED


def _frames(arguments: argparse.Namespace, model: LanguageVision, default: int) -> tuple[Frame, ...]:
    """What the model is given of the source.

    Raises:
        ConfigError: the model does not take as many images.
        SourceError: the source cannot be read, or ends before.
    """
    count = default if arguments.frames is None else arguments.frames
    if count > model.max_frames:
        raise ConfigError(f"--frames {count} is more than the {model.max_frames} that {arguments.model} takes")
    return frames_of(arguments.source, count, fps=arguments.fps, topic=arguments.topic, at_s=arguments.at)


def frames_of(
    name: str, count: int, *, fps: float | None = None, topic: str | None = None, at_s: float | None = None
) -> tuple[Frame, ...]:
    """An image, or at most `count` frames of what moves, as `last_frames`.

    Raises:
        SourceError: the source cannot be read, or ends before.
    """
    source = open_source(name, fps=fps, topic=topic)
    spacing_ns = round(PipelineConfig().keyframe_period * SECOND_NS)
    at_ns = None if at_s is None else round(at_s * SECOND_NS)
    if source.is_live and at_ns is None:
        at_ns = (count - 1) * spacing_ns
    return last_frames(source, count, spacing_ns, at_ns)


def last_frames(frames: Iterable[Frame], count: int, spacing_ns: int, at_ns: int | None = None) -> tuple[Frame, ...]:
    """At most `count` frames in order of time; the last is the one seen at `at_ns` after the first, or the last of all.

    The others lie about `spacing_ns` apart before it. No more frames are held than are given back, and one.

    Raises:
        SourceError: there is no frame, or none so late.
    """
    kept: deque[Frame] = deque(maxlen=count)
    newest: Frame | None = None
    first_ns, is_reached = 0, False
    for frame in frames:
        first_ns = first_ns if newest else frame.stamp_ns
        if at_ns is not None and newest and frame.stamp_ns - first_ns > at_ns:
            is_reached = True
            break
        if not kept or frame.stamp_ns - kept[-1].stamp_ns >= spacing_ns:
            kept.append(frame)
        newest = frame
        if at_ns is not None and frame.stamp_ns - first_ns == at_ns:
            is_reached = True
            break
    if newest is None:
        raise SourceError("the source has no image that can be decoded")
    seconds = (newest.stamp_ns - first_ns) / SECOND_NS
    if at_ns is not None and not is_reached:
        raise SourceError(f"the last image is at {seconds:.3f} s, before {at_ns / SECOND_NS:g} s; give an earlier --at")
    if kept[-1] is not newest:
        if newest.stamp_ns - kept[-1].stamp_ns < spacing_ns / 2:
            kept.pop()
        kept.append(newest)
    return tuple(kept)


def _lines(reply: ModelReply, newest: Frame) -> Iterator[str]:
    """A reply for a person; boxes in pixels of the last image, as --region takes them."""
    yield (reply.text or NONE) if reply.status is ReplyStatus.ABSENT else reply.text
    for item in reply.grounded:
        yield f"{item.label or 'box'}: {_ltwh(item.box_xyxy)}"
    if reply.invocation is not None:
        yield f"module: {NAMES[reply.invocation.module].lower()}"
        yield from (f"instruction: {text}" for text in reply.invocation.instructions)
        region = _region(reply.invocation, newest)
        yield "region: the whole image" if region is None else f"region: {_ltwh(region)}"
    yield f"score: {reply.score:.2f}"


def _as_json(arguments: argparse.Namespace, request: ModelRequest, reply: ModelReply) -> dict[str, Any]:
    newest, invocation = request.frames[-1], reply.invocation
    region = None if invocation is None else _region(invocation, newest)
    return {
        "source": arguments.source,
        "model": arguments.model,
        "text": request.text,
        "regions_xyxy": [region.points.reshape(4).tolist() for region in request.regions],
        "frames": [{"index": frame.index, "stamp_ns": frame.stamp_ns} for frame in request.frames],
        "width": newest.width,
        "height": newest.height,
        "status": reply.status.value,
        "message": reply.message,
        "reply": reply.text,
        "score": round(reply.score, 4),
        "grounded": [{"label": item.label, "box_xyxy": _rounded(item.box_xyxy)} for item in reply.grounded],
        "invocation": None
        if invocation is None
        else {
            "module": invocation.module.name.lower(),
            "instructions": list(invocation.instructions),
            "region_xyxy": None if region is None else _rounded(region),
        },
        "seconds": round(reply.seconds, 4),
    }


def _region(invocation: Invocation, newest: Frame) -> Boxes | None:
    return None if invocation.region is None else xyxy_from_norm(invocation.region, newest.width, newest.height)


def _ltwh(box_xyxy: Boxes) -> str:
    return ",".join(f"{value:.0f}" for value in ltwh_from_xyxy(box_xyxy))


def _rounded(box_xyxy: Boxes) -> list[float]:
    return [round(value, 2) for value in box_xyxy.tolist()]


def _numbers(text: str) -> list[float]:
    try:
        numbers = [float(word) for word in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != 4:
        raise ConfigError(f"--region {text}: give 4 numbers with commas between them")
    return numbers
