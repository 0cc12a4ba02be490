"""`python -m training.export --checkpoint out/vitron-tiny/3_invocation --out DIRECTORY`: a model to ship.

Half-precision weights, optionally averaged over checkpoints, tokenizer, prompts and record; the vocabulary, the
out-of-distribution detector, and a model card with the figures of `training.evaluate --json`.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError

from training.averaging import load_mean
from training.checkpointing import RECORD, find_start, read_record
from training.data import WIDE_ASPECT, normalise, resized_square
from training.tiny import CORPUS_SEED, corpus
from training.worlds import make_clip
from vitron_ros.cli.exit_code import exit_code
from vitron_ros.cli.numbers import whole
from vitron_ros.errors import ConfigError, SourceError
from vitron_ros.grounding.out_of_distribution import OutOfDistributionDetector
from vitron_ros.grounding.vocabulary import Vocabulary
from vitron_ros.model.checkpoint import CONFIG, Checkpoint, save_pretrained
from vitron_ros.model.files import quoted, read_json
from vitron_ros.model.footprint import footprint
from vitron_ros.recordings.output import make_folder

CARD = "README.md"
TEMPLATE = Path(__file__).with_name("model_card.md")
OOD_SEED = CORPUS_SEED + (1 << 41)  # shares no clip with any batch
VOCABULARY_CLIPS = 1500
OOD_CLIPS = 1500
COLUMNS = ("val", "real-background")
"""Splits of a model card, in order."""
BASELINES = ("baseline_centre", "baseline_chance", "oracle")


def mean_patch_features(checkpoint: Checkpoint, clips: int) -> Iterator[NDArray[np.float32]]:
    """The mean patch feature (C,) of training frames, half of them of a 4:3 camera."""
    size = checkpoint.model.config.vision.image_size
    for index in range(clips):
        shape = (size, round(WIDE_ASPECT * size)) if index % 2 else (size, size)
        frames = resized_square(make_clip(OOD_SEED + index, frames=1, size=shape).frames, size)
        pixels = normalise(torch.from_numpy(frames).permute(0, 3, 1, 2))
        with torch.inference_mode():
            yield checkpoint.model.vision(pixels).patches.mean(dim=1)[0].numpy()


def model_card(record: Mapping[str, Any], figures: Mapping[str, Mapping[str, Any]], clips: int, parameters: int) -> str:
    """The model card: the template with figures and the record of every stage."""
    metrics = [name for name, value in figures[COLUMNS[0]].items() if isinstance(value, float)]
    head = [*(split for split in COLUMNS if split in figures), "centre box", "shuffled answers", "ground truth"]
    lines = ["| metric | " + " | ".join(head) + " |", "|---" * (1 + len(head)) + "|"]
    for name in metrics:
        values = [figures[split].get(name) for split in COLUMNS if split in figures]
        values += [figures[COLUMNS[0]][kind].get(name) for kind in BASELINES]
        lines.append(f"| `{name}` | " + " | ".join("" if value is None else f"{value:.3f}" for value in values) + " |")
    stages = ["| stage | steps | minutes | seed | hardware |", "|---|---|---|---|---|"]
    for stage in record["stages"]:
        settings = stage["config"]
        minutes = f"{stage['seconds'] / 60:.0f}"
        stages.append(
            f"| {settings['name']} | {stage['step']} | {minutes} | {settings['seed']} | {stage['hardware']} |"
        )
    if "mean_of" in record:
        *names, last = record["mean_of"]
        stages += ["", f"The weights are the mean of those after the stages {', '.join(names)} and {last}."]
    text = TEMPLATE.read_text(encoding="utf-8")
    text = text.replace("{{clips}}", str(clips)).replace("{{parameters}}", f"{parameters / 1e6:.2f}")
    return text.replace("{{figures}}", "\n".join(lines)).replace("{{stages}}", "\n".join(stages))


def export(
    source: Path, out: Path, figures: Mapping[str, Mapping[str, Any]], clips: int, others: Sequence[Path] = ()
) -> None:
    """Writes the directory of a model to ship.

    Args:
        figures: as `read_figures` gives them, of the split val and perhaps others; empty: no card is written.
        others: checkpoints of earlier stages whose weights are averaged with the source's.

    Raises:
        ModelError: a checkpoint cannot be read, or is of another model.
        ConfigError: the directory is a checkpoint that is read.
        SourceError: the directory cannot be written; it holds no config.json then, and cannot be loaded.
    """
    if out.resolve() in [path.resolve() for path in (source, *others)]:
        raise ConfigError(f"{out} is the checkpoint itself; give another directory")
    make_folder(out)
    checkpoint = load_mean(source, others)
    checkpoint.model.eval()
    record = read_record(source)
    if others:
        record["mean_of"] = [_last_stage(path) for path in (*others, source)]
    vocabulary = Vocabulary.collect(corpus(checkpoint.prompts.profile, VOCABULARY_CLIPS))
    ood_detector = OutOfDistributionDetector.fit(np.stack(list(mean_patch_features(checkpoint, OOD_CLIPS))))
    try:
        (out / CONFIG).unlink(missing_ok=True)
        (out / RECORD).write_text(json.dumps(record, indent=1), encoding="utf-8")
        vocabulary.save(out)
        ood_detector.save(out)
        if figures:
            parameters = footprint(checkpoint.model.config).total
            (out / CARD).write_text(model_card(record, figures, clips, parameters), encoding="utf-8")
        save_pretrained(
            checkpoint.model,
            out,
            tokenizer=checkpoint.tokenizer,
            prompt_profile=checkpoint.prompts.profile,
            dtype=torch.float16,
        )  # config.json is its last file
    except (OSError, SafetensorError) as error:
        (out / CONFIG).unlink(missing_ok=True)
        reason = getattr(error, "strerror", None) or error
        raise SourceError(f"{out} cannot be written: {reason}; make room or choose another directory") from error


def _last_stage(checkpoint: Path) -> str:
    stages = read_record(checkpoint)["stages"]
    if not stages:
        raise ConfigError(f"{checkpoint} has no {RECORD}, which would say what its weights are; export them alone")
    return str(stages[-1]["config"]["name"])


def read_figures(path: Path) -> dict[str, Any]:
    """The figures that `training.evaluate --json` wrote.

    Raises:
        ModelError: the file cannot be read.
        ConfigError: it holds something else.
    """
    figures = read_json(path)
    for table in (figures, *(figures.get(name) for name in BASELINES)):
        if not isinstance(table, dict):
            raise ConfigError(f"{path} holds no figures; write it with: python -m training.evaluate --json > {path}")
        for name, value in table.items():
            if name not in BASELINES and not isinstance(value, float):
                raise ConfigError(f"{path}: {name} is {quoted(value)}; it must be a figure of training.evaluate")
    return figures


def main(argv: Sequence[str] | None = None) -> int:
    """Exports a checkpoint; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m training.export", description="Makes a checkpoint ready to ship.")
    parser.add_argument("--checkpoint", required=True, help="checkpoint, or a run's directory")
    parser.add_argument("--average", nargs="+", default=[], help="others, whose weights are averaged with its")
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--val", type=Path, help="figures of `training.evaluate --split val --json`")
    parser.add_argument("--real", type=Path, help="figures of `training.evaluate --split real-background --json`")
    parser.add_argument("--clips", type=whole(1), default=500, help="questions a task behind the figures")
    arguments = parser.parse_args(argv)
    if arguments.real and not arguments.val:
        parser.error("--real goes with --val")
    cv2.setNumThreads(1)
    return exit_code("export", lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    files = {"val": arguments.val, "real-background": arguments.real}
    figures = {split: read_figures(path) for split, path in files.items() if path}
    others = [find_start(path) for path in arguments.average]
    export(find_start(arguments.checkpoint), arguments.out, figures, arguments.clips, others)
    return 0


if __name__ == "__main__":
    sys.exit(main())
