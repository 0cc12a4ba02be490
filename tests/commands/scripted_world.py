"""A world that writes down what is done in it, and gives what a test asks for."""

from dataclasses import dataclass, replace

from vitron_ros.commands.failure import CommandFailure, Outcome
from vitron_ros.commands.plan import Target
from vitron_ros.commands.world import Answer
from vitron_ros.region import Region

HERE, THERE = Region.from_box([10, 10, 30, 30]), Region.from_box([60, 10, 90, 40])


@dataclass(frozen=True)
class Result:
    """Of a module: the instructions that led to it, the first one first."""

    done: tuple[str, ...]
    note: str = ""
    region: Region | None = HERE


class ScriptedWorld:
    """Finds everything HERE. `answers`: by text, what `ask` gives, or raises; `failing`: an action that fails."""

    def __init__(self, answers=None, failing=None, marked=None):
        self.answers, self.failing, self._marked = answers or {}, failing, marked
        self.done = []

    def marked(self):
        return self._marked

    def ask(self, text, progress):
        self.done.append(f"ask {text}")
        answer = self.answers.get(text, Answer(text="here", named=(Target(phrase="it", region=HERE, stamp_ns=5),)))
        if isinstance(answer, CommandFailure):
            raise answer
        return answer

    def track(self, phrase, target, progress):
        self.done.append(f"track {phrase or target.phrase}")
        return replace(target or Target(phrase=phrase, region=HERE), track_id=7)

    def aligned(self, targets, progress):
        self.done.append(f"align {len(targets)}")
        return targets

    def release(self, track_ids):
        self.done += [f"release {track_id}" for track_id in track_ids]

    def run(self, step, target, before, progress):
        progress.report(0.5)
        if step.action == self.failing:
            raise CommandFailure(Outcome.MODULE_ERROR, "the disk is full")
        about = f" [{target.phrase or 'marked'}]" if target is not None else ""
        self.done.append(f"{step.instruction}{about}")
        return Result((*(before.done if before else ()), step.instruction), "half of it" if "clip" in step.text else "")

    def play(self, pictures, progress):
        self.done.append(f"play {len(pictures.done)}")
