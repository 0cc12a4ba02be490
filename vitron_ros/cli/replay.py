"""Run goals over a recording through the same pipeline as the node's. No DDS and no clock but the stamps: two runs of
one recording give the same JSON, byte for byte."""

import argparse
import itertools
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tqdm import tqdm

from vitron_ros.cli.exit_codes import DONE, FAILED, NOT_FOUND
from vitron_ros.cli.model_options import add_model_options, model_run
from vitron_ros.config import PipelineConfig
from vitron_ros.errors import ConfigError
from vitron_ros.frame import Frame
from vitron_ros.grounding.request import LanguageVision
from vitron_ros.offline.goal_script import ScriptedGoal, read_goals
from vitron_ros.offline.replay import NOT_STARTED, ReplayResult, replay
from vitron_ros.offline.replayed_model import Latency, read_latency
from vitron_ros.offline.track_film import TrackFilm
from vitron_ros.recordings.left_out import LeftOut
from vitron_ros.recordings.output import make_folder, write_json
from vitron_ros.recordings.sources import Source, open_source
from vitron_ros.streaming.models import BUNDLED, load_model
from vitron_ros.tracking.trackers import make_tracker

EPILOG = "example: vitron replay bags/sample --goals bags/goals.yaml --out out/replay"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", help="a ROS 2 bag, video file, folder of images or webcam number")
    parser.add_argument("--goals", type=Path, required=True, help="YAML file with what to follow, and when")
    add_common_arguments(parser)


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of every command that runs a recording through the pipeline."""
    parser.add_argument("--out", type=Path, help="folder for tracks.json and the film tracks.mp4")
    parser.add_argument("--no-film", action="store_true", help="write tracks.json only")
    parser.add_argument("--tracker", default="default", help="box tracker (default: default)")
    parser.add_argument(
        "--model", help=f"model for prompts: {BUNDLED} or a folder (default: {BUNDLED}, loaded if a goal needs it)"
    )
    add_model_options(parser)
    latency = parser.add_mutually_exclusive_group()
    latency.add_argument(
        "--model-latency-ms", type=float, metavar="MS", help="that each call of the model takes (default: 200)"
    )
    latency.add_argument(
        "--model-latency",
        metavar="PROFILE",
        help="fixed:SECONDS, file:PATH with one number of seconds a line, or measured (then two runs differ)",
    )
    parser.add_argument("--topic", help="image topic, where a bag has several")
    parser.add_argument("--fps", type=float, help="images a second of a folder or webcam (default: 25)")
    parser.add_argument("--frames", type=int, help="stop after so many frames")
    parser.add_argument("--json", action="store_true", help="print the whole result as JSON on stdout")


def run(arguments: argparse.Namespace) -> int:
    return run_goals(arguments, read_goals(arguments.goals))


def run_goals(arguments: argparse.Namespace, goals: Sequence[ScriptedGoal]) -> int:
    """Replay the source, write what was asked for, print the result.

    Exit code 0; 1 if the source broke off before its end or its film failed; 3 if a goal's target was never seen.
    """
    if arguments.frames is not None and arguments.frames < 1:
        raise ConfigError(f"--frames {arguments.frames}: give a number from 1")
    config = PipelineConfig(tracker=arguments.tracker)
    make_tracker(config.tracker)  # an unknown name is refused before any work
    latency = _latency(arguments)
    model = _model(arguments, goals)
    left_out = LeftOut()
    source = open_source(arguments.source, fps=arguments.fps, topic=arguments.topic, on_bad=left_out.note)
    with _film(arguments, source) as film:
        recording = replay(_frames(source, arguments.frames), goals, config, film.show, model=model, latency=latency)
    result = {"source": source.name, "tracker": config.tracker, "bad_frames": left_out.as_json(), **recording.as_json()}
    if film.path is not None:
        result["film"] = {"file": "" if film.problem else film.path.name, "problem": film.problem}
    if arguments.out is not None:
        write_json(arguments.out / "tracks.json", result)
    if arguments.json:
        print(json.dumps(result))
    else:
        print("\n".join(_summary(recording, left_out)))
    problems = [f"no film: {film.problem}"] if film.problem else []
    problems += [recording.broken_off] if recording.broken_off else []
    for words in (*left_out.lines(), *problems):
        print(f"vitron: {words}", file=sys.stderr)
    if problems:
        return FAILED
    return DONE if recording.found_all else NOT_FOUND


def _latency(arguments: argparse.Namespace) -> Latency:
    if arguments.model_latency is not None:
        return read_latency(arguments.model_latency)
    milliseconds = 200.0 if arguments.model_latency_ms is None else arguments.model_latency_ms
    return read_latency(f"fixed:{milliseconds / 1000}")


def _model(arguments: argparse.Namespace, goals: Sequence[ScriptedGoal]) -> LanguageVision | None:
    """The model that was asked for, or the bundled one if a goal is a prompt alone."""
    needs_model = any(goal.request.region is None for goal in goals)
    name = arguments.model or (BUNDLED if needs_model else "")
    return load_model(name, model_run(arguments)) if name else None


def _frames(source: Source, limit: int | None) -> Iterator[Frame]:
    """The first frames of the source with a progress bar; Ctrl-C ends them early, as a webcam must be ended somehow."""
    total = min((count for count in (source.count, limit) if count is not None), default=None)
    with tqdm(total=total, unit="frame", file=sys.stderr, disable=None, desc=source.name) as bar:
        try:
            for frame in itertools.islice(source, limit):
                yield frame
                bar.update()
        except KeyboardInterrupt:
            print("interrupted; what was tracked so far is kept", file=sys.stderr)


@contextmanager
def _film(arguments: argparse.Namespace, source: Source) -> Iterator[TrackFilm]:
    """The film of the reports, if one is wanted."""
    path = None if arguments.out is None or arguments.no_film else arguments.out / "tracks.mp4"
    if arguments.out is not None:
        make_folder(arguments.out)
    film = TrackFilm(path, source.fps, (source.width, source.height))
    try:
        yield film
    finally:
        film.close()


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
