"""The generator of training clips: seed in, clip out, with exact ground truth and language.

`python -m training.worlds preview --out sheet.png` shows them, `python -m training.worlds speed` times them.
"""

from training.worlds.clutter import draw_clutter
from training.worlds.config import WorldConfig
from training.worlds.make_clip import make_clip
from training.worlds.pattern_grid import make_pattern_grid
from training.worlds.sample import DialogueTurn, Sample, Task
from training.worlds.samples import TASKS, make_samples
from vitron_ros.worlds.clip import Clip, ObjectSpec

__all__ = [
    "TASKS",
    "Clip",
    "DialogueTurn",
    "ObjectSpec",
    "Sample",
    "Task",
    "WorldConfig",
    "draw_clutter",
    "make_clip",
    "make_pattern_grid",
    "make_samples",
]
