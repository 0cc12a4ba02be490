"""`python -m training.ablation --start out/vitron-tiny/5_joint --out out/ablation`: token selectors at an equal budget.

After table 7 of Elysium (arXiv 2403.16558): one trained model whose selector is replaced by a new one, the same data,
steps and seeds; only the token selector differs, and for the gated one the number of tokens and its supervision. The
vision encoder is frozen. Finished runs are not run again.
"""

import argparse
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors import SafetensorError

from training.checkpointing import find_start
from training.config import MAX_STEPS, ClipsConfig, LossWeightsConfig, TrainConfig
from training.evaluate import EvaluationCase, ModelPredictor, cases, score
from training.trainer import Trainer
from vitron_ros.cli.exit_code import exit_code
from vitron_ros.cli.numbers import whole
from vitron_ros.errors import SourceError
from vitron_ros.model.checkpoint import Checkpoint, load_checkpoint, save_pretrained
from vitron_ros.model.config import SelectorConfig
from vitron_ros.model.vitron import VitronModel
from vitron_ros.recordings.output import make_folder, write_json

ALPHA = 0.25
TRAINABLE = ("selector", "projector", "region", "embeddings", "language")


@dataclass(frozen=True)
class Variant:
    """A selector and how it is trained.

    Attributes:
        gate: weight of the gate loss; 0: the gate is trained through the answers alone, like other selectors.
    """

    name: str
    selector: SelectorConfig
    gate: float = 0.0


VARIANTS = (
    Variant("gated, supervised", SelectorConfig(kind="gated", alpha=ALPHA), gate=0.1),
    *(
        Variant(kind, SelectorConfig(kind=kind, alpha=ALPHA))
        for kind in ("gated", "published", "concat", "cross_attention", "pool")
    ),
    Variant("none", SelectorConfig(kind="none", alpha=1.0)),
    *(
        Variant("gated, supervised", SelectorConfig(kind="gated", alpha=alpha), gate=0.1)
        for alpha in (0.0625, 0.125, 0.5)
    ),
)


def with_selector(selector: SelectorConfig, seed: int, base: Checkpoint, folder: Path) -> Path:
    """Writes a checkpoint to start from: the base with a newly initialised selector.

    Raises:
        SourceError: the disk is full.
    """
    torch.manual_seed(seed)
    model = VitronModel(replace(base.model.config, selector=selector))
    weights = {name: value for name, value in base.model.state_dict().items() if not name.startswith("selector.")}
    model.load_state_dict(weights, strict=False)
    try:
        save_pretrained(model, folder, tokenizer=base.tokenizer, prompt_profile=base.prompts.profile)
    except (OSError, SafetensorError) as error:
        raise SourceError(f"{folder} cannot be written: {error}; make room and start again") from error
    return folder


def run(name: str, variant: Variant, seed: int, base: Checkpoint, stage: TrainConfig) -> Path:
    """Trains one variant unless that is done; gives its checkpoint."""
    out = Path(stage.out) / f"{name}-{seed}".replace(", ", "-")
    start = out / "start"
    if not (start / "config.json").is_file():
        with_selector(variant.selector, seed, base, start)
    weights = replace(stage.loss_weights, gate=variant.gate)
    return Trainer(
        replace(stage, name=name, out=str(out / "run"), start=str(start), seed=seed, loss_weights=weights)
    ).run()


def table(results: dict[str, list[dict[str, float]]]) -> str:
    """A Markdown table: mean and, of several seeds, half the range of each metric."""
    metrics = sorted({metric for runs in results.values() for metrics in runs for metric in metrics})
    lines = ["| selector | tokens | " + " | ".join(metrics) + " |", "|---" * (2 + len(metrics)) + "|"]
    for name, runs in results.items():
        kind, _, tokens = name.rpartition("-")
        cells = []
        for metric in metrics:
            values = [run[metric] for run in runs]
            spread = f" ± {(max(values) - min(values)) / 2:.3f}" if len(values) > 1 else ""
            cells.append(f"{statistics.mean(values):.3f}{spread}")
        lines.append(f"| {kind} | {tokens} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the ablation; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m training.ablation",
        description="Replaces the token selector of a trained model by each kind, continues training, and compares.",
        epilog="example: python -m training.ablation --start out/vitron-tiny/5_joint --out out/ablation --seeds 0 1",
    )
    parser.add_argument("--start", required=True, help="checkpoint whose selector is replaced")
    parser.add_argument("--out", required=True, help="folder of runs and of ablation.json")
    parser.add_argument("--seeds", type=whole(0, MAX_STEPS), nargs="+", default=[0, 1])
    parser.add_argument("--steps", type=whole(1, MAX_STEPS), default=150)
    parser.add_argument("--count", type=whole(1, 4096), default=10, help="clips in a batch")
    parser.add_argument("--clips", type=whole(1), default=200, help="validation clips")
    parser.add_argument("--workers", type=whole(0, 256), default=1)
    arguments = parser.parse_args(argv)
    return exit_code("ablation", lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    make_folder(Path(arguments.out))
    base = load_checkpoint(find_start(arguments.start), dtype=torch.float32)
    vision = base.model.config.vision
    stage = TrainConfig(
        out=arguments.out,
        steps=arguments.steps,
        warmup_steps=arguments.steps // 10,
        learning_rate=5e-4,
        trainable=TRAINABLE,
        workers=arguments.workers,
        save_every=arguments.steps,
        loss_weights=LossWeightsConfig(text=1.0, coordinate=1.0, pointer=0.1),
        clips=(ClipsConfig(frames=1, count=arguments.count, per_task=4, tasks=("rec", "vqa")),),
    )
    questions: list[EvaluationCase] = [
        case
        for task in ("rec", "vqa")
        for case in cases(task, arguments.clips, base.prompts.profile, size=vision.image_size)
    ]
    results: dict[str, list[dict[str, float]]] = {}
    for seed in dict.fromkeys(arguments.seeds):
        for variant in VARIANTS:
            name = f"{variant.name}-{variant.selector.num_selected(vision.num_patches)}"
            trained = load_checkpoint(run(name, variant, seed, base, stage), dtype=torch.float32)
            found = score(questions, ModelPredictor(trained)(questions))
            results.setdefault(name, []).append(found)
            print(f"{name}, seed {seed}: {found}", file=sys.stderr)
            write_json(Path(arguments.out, "ablation.json"), results)
    print(table(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
