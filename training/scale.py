"""A stage at the scale of a test: the same file, on a tiny model and miniature data, in seconds on a CPU.

All paths of the stage move into the folder `tiny`: the assembled model to start from, the data and the output.
"""

from dataclasses import replace
from pathlib import Path

from training.config import RecordsConfig, TrainConfig

FOLDER = Path("tiny")
STEPS, RECORDS_PER_BATCH, GLOBAL_BATCH, FRAMES, LORA_RANK = 2, 2, 8, 4, 4


def tiny_stage(config: TrainConfig) -> TrainConfig:
    """The stage in two steps of eight records, with clips of four frames at most. All else is as it was."""
    return replace(
        config,
        out=str(FOLDER / config.out),
        start=_moved(config.start),
        steps=min(config.steps, STEPS),
        warmup_steps=1,
        records_per_batch=RECORDS_PER_BATCH,
        global_batch=GLOBAL_BATCH,
        lora_rank=min(config.lora_rank, LORA_RANK),
        workers=0,
        log_every=1,
        records=tuple(_tiny_records(records) for records in config.records),
    )


def _tiny_records(config: RecordsConfig) -> RecordsConfig:
    return replace(
        config,
        path=_moved(config.path),
        media=_moved(config.media),
        min_frames=min(config.min_frames, FRAMES),
        max_frames=min(config.max_frames, FRAMES),
    )


def _moved(path: str) -> str:
    return str(FOLDER / path) if path else ""
