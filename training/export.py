"""`python -m training.export --checkpoint out/vitron-tiny/3_invocation --out DIRECTORY`: a model to ship.

Half-precision weights, perhaps the mean of several checkpoints', tokenizer, prompts and record; the words that it was
taught, what its footage looked like, and a model card with the figures of `training.evaluate --json`.
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

from training.averaging import load_mean
from training.checkpointing import RECORD, find_start, read_record
from training.data import WIDE, normalise, stretched
from training.tiny import CORPUS_SEED, corpus
from training.worlds import make_clip
from vitron_ros.errors import VitronError
from vitron_ros.grounding.familiarity import Familiarity
from vitron_ros.grounding.vocabulary import Vocabulary
from vitron_ros.model.checkpoint import Checkpoint, save_pretrained

CARD = "README.md"
TEMPLATE = Path(__file__).with_name("model_card.md")
FOOTAGE_SEED = CORPUS_SEED + (1 << 41)  # its clips are those of no batch
WORDS_CLIPS = 1500
FOOTAGE_CLIPS = 1500
COLUMNS = ("val", "real-background")
"""Splits of a model card, in order."""
BASELINES = ("baseline_centre", "baseline_chance", "oracle")


def footage(checkpoint: Checkpoint, clips: int) -> Iterator[NDArray[np.float32]]:
    """The mean patch feature (C,) of training frames, half of them of a 4:3 camera."""
    size = checkpoint.model.config.vision.image_size
    for index in range(clips):
        shape = (size, round(WIDE * size)) if index % 2 else (size, size)
        frames = stretched(make_clip(FOOTAGE_SEED + index, frames=1, size=shape).frames, size)
        pixels = normalise(torch.from_numpy(frames).permute(0, 3, 1, 2))
        with torch.inference_mode():
            yield checkpoint.model.vision(pixels).patches.mean(dim=1)[0].numpy()


def card(record: Mapping[str, Any], figures: Mapping[str, Mapping[str, Any]], clips: int) -> str:
    """The model card: the template with figures and the record of every stage."""
    metrics = [name for name, value in figures[COLUMNS[0]].items() if isinstance(value, float)]
    head = [*(split for split in COLUMNS if split in figures), "centre box", "chance", "oracle"]
    lines = ["| metric | " + " | ".join(head) + " |", "|---" * (1 + len(head)) + "|"]
    for name in metrics:
        values = [figures[split].get(name) for split in COLUMNS if split in figures]
        values += [
            figures[COLUMNS[0]][f"{kind}"].get(name) for kind in ("baseline_centre", "baseline_chance", "oracle")
        ]
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
    text = text.replace("{{clips}}", str(clips))
    return text.replace("{{figures}}", "\n".join(lines)).replace("{{stages}}", "\n".join(stages))


def export(
    source: Path, out: Path, figures: Mapping[str, Mapping[str, Any]], clips: int, others: Sequence[Path] = ()
) -> None:
    """Writes the directory of a model to ship.

    Args:
        others: checkpoints of earlier stages whose weights are averaged with the source's.

    Raises:
        ModelError: a checkpoint cannot be read, or is of another model.
    """
    checkpoint = load_mean(source, others)
    checkpoint.model.eval()
    save_pretrained(
        checkpoint.model,
        out,
        tokenizer=checkpoint.tokenizer,
        prompt_profile=checkpoint.prompts.profile,
        dtype=torch.float16,
    )
    record = read_record(source)
    if others:
        record["mean_of"] = [read_record(path)["stages"][-1]["config"]["name"] for path in (*others, source)]
    (out / RECORD).write_text(json.dumps(record, indent=1), encoding="utf-8")
    Vocabulary.collect(corpus(checkpoint.prompts.profile, WORDS_CLIPS)).save(out)
    Familiarity.fit(np.stack(list(footage(checkpoint, FOOTAGE_CLIPS)))).save(out)
    if figures:
        (out / CARD).write_text(card(record, figures, clips), encoding="utf-8")


def main(argv: Sequence[str] | None = None) -> int:
    """Exports a checkpoint; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m training.export", description="Makes a checkpoint ready to ship.")
    parser.add_argument("--checkpoint", required=True, help="checkpoint, or a run's directory")
    parser.add_argument("--average", nargs="+", default=[], help="others, whose weights are averaged with its")
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--val", type=Path, help="figures of `training.evaluate --split val --json`")
    parser.add_argument("--real", type=Path, help="figures of `training.evaluate --split real-background --json`")
    parser.add_argument("--clips", type=int, default=500, help="questions a task behind the figures")
    arguments = parser.parse_args(argv)
    cv2.setNumThreads(1)
    files = {"val": arguments.val, "real-background": arguments.real}
    figures = {split: json.loads(path.read_text()) for split, path in files.items() if path}
    try:
        others = [find_start(path) for path in arguments.average]
        export(find_start(arguments.checkpoint), arguments.out, figures, arguments.clips, others)
    except VitronError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
