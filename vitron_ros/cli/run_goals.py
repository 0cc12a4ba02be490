"""What `vitron track` and `vitron replay` share: goals over a recording, and what is written and printed of them."""

import argparse
import itertools
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from tqdm import tqdm

from vitron_ros.cli.exit_code import DONE, FAILED, NOT_FOUND
from vitron_ros.cli.interrupt import Interrupt
from vitron_ros.cli.numbers import number, whole
from vitron_ros.cli.options import add_json_option, add_model_options, add_source_options, model_run
from vitron_ros.config import PipelineConfig
from vitron_ros.errors import ConfigError, UsageError
from vitron_ros.frame import Frame
from vitron_ros.grounding.request import LanguageVision
from vitron_ros.images.display import DisplayWindow
from vitron_ros.images.draw import draw_tracks
from vitron_ros.offline.annotated_video import AnnotatedVideo
from vitron_ros.offline.coco_rle import check_coco
from vitron_ros.offline.export import EXPORTS
from vitron_ros.offline.goal_script import ScriptedGoal
from vitron_ros.offline.recorded_depth import RecordedDepth
from vitron_ros.offline.replay import NOT_STARTED, ReplayResult, replay
from vitron_ros.offline.replayed_model import Latency, fixed, read_latency
from vitron_ros.recordings.bag_files import is_bag
from vitron_ros.recordings.left_out import LeftOut
from vitron_ros.recordings.output import make_folder, write_json
from vitron_ros.recordings.sources import Source, open_source
from vitron_ros.streaming.models import BUNDLED, load_model
from vitron_ros.streaming.overlays import Trajectories, overlays
from vitron_ros.streaming.pipeline import Report
from vitron_ros.tracking.trackers import make_tracker

MOST_TARGETS = PipelineConfig().max_targets


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """The options of every command that runs a recording through the pipeline."""
    parser.add_argument("--out", type=Path, help="folder for tracks.json and the annotated video tracks.mp4")
    parser.add_argument("--no-film", action="store_true", help="write no annotated video")
    parser.add_argument(
        "--export",
        action="append",
        default=[],
        choices=sorted(EXPORTS),
        help="write the tracks as tracks.txt (MOTChallenge) or tracks.csv too; may be repeated",
    )
    parser.add_argument(
        "--masks",
        action="store_true",
        help="draw the mask of every target, and write it to tracks.json and tracks.csv (COCO run-length encoding)",
    )
    parser.add_argument(
        "--depth",
        metavar="TOPIC",
        help="depth images of the bag, registered to its images: tracks.json gets positions in m",
    )
    parser.add_argument("--trajectories", action="store_true", help="draw the recent path of every target")
    parser.add_argument("--show", action="store_true", help="show the annotated images in a window; Esc or q ends it")
    add_pipeline_options(parser)
    add_source_options(parser)
    parser.add_argument("--frames", type=whole(1), help="stop after so many frames")
    add_json_option(parser, "the whole result")


def add_pipeline_options(parser: argparse.ArgumentParser) -> None:
    """The tracker and the model of a pipeline, for `latency_of` and `model_of`."""
    parser.add_argument("--tracker", default="default", help="box tracker (default: default)")
    parser.add_argument(
        "--model",
        help=f"model for prompts: {BUNDLED}, a folder, hub id or address, or several joined by ' + ' "
        f"(default: {BUNDLED}, loaded if a goal needs it)",
    )
    add_model_options(parser)
    latency = parser.add_mutually_exclusive_group()
    latency.add_argument(
        "--model-latency-ms",
        type=number(0),
        default=200.0,
        metavar="MS",
        help="that each call of the model takes (default: 200)",
    )
    latency.add_argument(
        "--model-latency",
        metavar="PROFILE",
        help="fixed:SECONDS, file:PATH with one number of seconds a line, or measured (then two runs differ)",
    )


def run_goals(arguments: argparse.Namespace, goals: Sequence[ScriptedGoal], most_targets: int = MOST_TARGETS) -> int:
    """Replay the source, write what was asked for, print the result.

    Args:
        most_targets: that are followed at once; as many as the node does by default.

    Exit code 0; 1 if the source broke off before its end or its video failed; 3 if a goal's target was never seen.
    """
    if arguments.export and arguments.out is None:
        raise ConfigError("--export needs a folder to write to; give --out FOLDER")
    if arguments.masks:
        check_coco()
    has_depth = arguments.depth is not None
    config = PipelineConfig(
        tracker=arguments.tracker, publish_masks=arguments.masks, publish_3d=has_depth, max_targets=most_targets
    )
    make_tracker(config.tracker)  # an unknown name is refused before any work
    depth = _depth(arguments)
    latency = latency_of(arguments)
    window = DisplayWindow(arguments.source) if arguments.show else None
    left_out = LeftOut()
    source = open_source(arguments.source, fps=arguments.fps, topic=arguments.topic, on_bad=left_out.note)
    if source.count == 1 and all(goal.request.region is None for goal in goals):
        raise UsageError(f"{source.name} is one image, over before a model answers; ask where a thing is: vitron ask")
    if arguments.out is not None:
        make_folder(arguments.out)  # before a model is loaded, which may take minutes
    model = model_of(arguments, goals)
    with ExitStack() as stack:
        video = _video(arguments, source)
        interrupt = stack.enter_context(Interrupt())
        stack.enter_context(video)
        if window is not None:
            stack.callback(window.close)
        frames = _frames(source, arguments.frames, window, interrupt)
        watch = _watch(video, window, with_trajectories=arguments.trajectories)
        recording = replay(
            frames,
            goals,
            config,
            watch,
            model=model,
            latency=latency,
            on_bad=left_out.note,
            place=(lambda report: None) if depth is None else depth.place,
        )
    result = {"source": source.name, "tracker": config.tracker, "bad_frames": left_out.as_json(), **recording.as_json()}
    if video.path is not None:
        result["film"] = {"file": "" if video.problem else video.path.name, "problem": video.problem}
    if arguments.out is not None:
        write_json(arguments.out / "tracks.json", result)
        for name, write in map(EXPORTS.__getitem__, arguments.export):
            write(arguments.out / name, recording.frames)
    if arguments.json:
        print(json.dumps(result))
    else:
        print("\n".join(_summary(recording, left_out)))
        if depth is not None:
            print(_positions(depth))
    problems = [f"no video: {video.problem}"] if video.problem else []
    problems += [recording.broken_off] if recording.broken_off else []
    for words in (*left_out.lines(), *problems):
        print(f"vitron: {words}", file=sys.stderr)
    if problems:
        return FAILED
    return DONE if recording.found_all else NOT_FOUND


def _depth(arguments: argparse.Namespace) -> RecordedDepth | None:
    if arguments.depth is None:
        return None
    if not is_bag(Path(arguments.source)):
        raise UsageError(f"{arguments.source} is not a bag, and has no depth; leave --depth out")
    return RecordedDepth(Path(arguments.source), arguments.depth, arguments.topic)


def _positions(depth: RecordedDepth) -> str:
    """What became of the targets' positions, the most frequent first."""
    counts = depth.localizer.counts.most_common()
    return "positions: " + (", ".join(f"{status.name} {count}" for status, count in counts) or "no target")


def latency_of(arguments: argparse.Namespace) -> Latency:
    if arguments.model_latency is not None:
        return read_latency(arguments.model_latency)
    return fixed(arguments.model_latency_ms / 1000)


def model_name(arguments: argparse.Namespace, goals: Sequence[ScriptedGoal]) -> str:
    """The model that was asked for, or the bundled one if a goal is a prompt alone; empty: none is needed."""
    needs_model = any(goal.request.region is None for goal in goals)
    return arguments.model or (BUNDLED if needs_model else "")


def model_of(arguments: argparse.Namespace, goals: Sequence[ScriptedGoal]) -> LanguageVision | None:
    """That of `model_name`, loaded."""
    name = model_name(arguments, goals)
    return load_model(name, model_run(arguments)) if name else None


def _frames(source: Source, limit: int | None, window: DisplayWindow | None, interrupt: Interrupt) -> Iterator[Frame]:
    """The first frames of the source with a progress bar. Ctrl-C, or closing the window, ends them early."""
    total = min((count for count in (source.count, limit) if count is not None), default=None)
    with tqdm(total=total, unit="frame", file=sys.stderr, disable=None, desc=source.name) as bar:
        for frame in itertools.islice(source, limit):
            yield frame
            bar.update()
            if interrupt.is_asked or (window is not None and window.is_closed):
                break


def _video(arguments: argparse.Namespace, source: Source) -> AnnotatedVideo:
    path = None if arguments.out is None or arguments.no_film else arguments.out / "tracks.mp4"
    return AnnotatedVideo(path, source.fps, (source.width, source.height))


def _watch(video: AnnotatedVideo, window: DisplayWindow | None, *, with_trajectories: bool) -> Callable[[Report], None]:
    """Draws every report once for all who want its image."""
    trajectories = Trajectories()

    def watch(report: Report) -> None:
        if report.frame is None or not (video.is_open or window):
            return
        stamp_ns = report.frame.stamp_ns
        paths = trajectories.update(report.tracks, stamp_ns) if with_trajectories else None
        rgb = draw_tracks(report.frame.rgb, overlays(report.tracks, paths))
        video.write(rgb, stamp_ns)
        if window is not None:
            window.show(rgb, stamp_ns)

    return watch


def _summary(recording: ReplayResult, left_out: LeftOut) -> Iterator[str]:
    yield f"{len(recording.frames)} frames, {len(left_out.reasons)} left out"
    for index, phrase in enumerate(recording.phrases):
        name = f'goal {index + 1} "{phrase}"' if phrase else f"goal {index + 1}"
        result = recording.results.get(index)
        if result is None:
            yield f"{name}: {NOT_STARTED}"
        elif not result.frames_tracked:
            yield f"{name}: {result.outcome.name}: {result.message}"
        else:
            share = result.frames_tracked / (result.frames_tracked + result.frames_lost)
            scores = ", ".join(f"{track.score:.2f}" for track in result.tracks)
            yield (
                f"{name}: seen in {result.frames_tracked} frames ({share:.0%}), found again "
                f"{result.times_reacquired} times, last score {scores}; {result.outcome.name}: {result.message}"
            )
