"""Generated worlds: seed in, clip out, with exact truth and language.

`python -m training.worlds preview --out sheet.png` shows them, `python -m training.worlds speed` times them.
"""

from training.worlds.clip import Clip, DialogueTurn, ObjectSpec, Sample, Task
from training.worlds.close_ups import make_close_up
from training.worlds.clutter import draw_clutter
from training.worlds.config import WorldConfig
from training.worlds.render import make_clip
from training.worlds.samples import TASKS, make_samples

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
    "make_close_up",
    "make_samples",
]
