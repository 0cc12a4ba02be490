"""Commands by action and by topic: each in a thread of its own, one at a time of each conversation."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from rclpy.lifecycle import LifecycleNode
from vitron_msgs.action import Command
from vitron_msgs.msg import Track

from vitron_ros.commands.chain import Reply, do
from vitron_ros.commands.conversation import Conversation
from vitron_ros.commands.failure import CommandFailure, Outcome
from vitron_ros.commands.plan import Plan
from vitron_ros.commands.settings import CommandConfig
from vitron_ros.errors import ConfigError, InactiveError, VitronError
from vitron_ros.grounding.intent import read_intent
from vitron_ros.grounding.request import regions_problem, text_problem
from vitron_ros.modules.module import Cancelled, Progress
from vitron_ros.ros.conversions import time_from_ns
from vitron_ros.ros.goal_server import BUG, DEACTIVATED, GoalServer, OpenGoal
from vitron_ros.ros.live_world import Links, LivePictures, LiveWorld

DEFAULT_CONVERSATION = "default"


@dataclass(slots=True, eq=False)
class Run:
    """A command that runs.

    Attributes:
        outcome, said: what its client is told if it is cancelled.
    """

    progress: Progress
    outcome: Outcome = Outcome.CANCELED
    said: str = "cancelled by the client"

    def stop(self, outcome: Outcome, said: str) -> None:
        self.outcome, self.said = outcome, said
        self.progress.cancel()


@dataclass(slots=True, eq=False)
class Talk:
    """A conversation, and the command of it that runs."""

    conversation: Conversation[LivePictures] = field(default_factory=Conversation)
    running: Run | None = None


Finish = Callable[[Command.Result], object]
Tell = Callable[[Command.Feedback], object]


class CommandRuns:
    """Runs commands. `start` and `shutdown` are called in the executor's thread.

    Args:
        log_bug: logs the trace of the exception that is being handled.
    """

    def __init__(self, links: Links, config: Callable[[], CommandConfig], log_bug: Callable[[], object]) -> None:
        self._links = links
        self._config = config
        self._log_bug = log_bug
        self._talks: OrderedDict[str, Talk] = OrderedDict()
        self._threads: list[threading.Thread] = []

    def start(self, request: Command.Goal, progress: Progress, tell: Tell, finish: Finish) -> None:
        """Begin a command; `tell` and `finish` are called in its thread, or at once."""
        name = request.conversation_id or DEFAULT_CONVERSATION
        talk = self._talk(name)
        if read_intent(request.text).control == "stop":
            finish(self._stop(talk))
        elif problem := text_problem(request.text) or regions_problem(len(request.regions)):
            finish(Command.Result(error_code=Outcome.NOT_UNDERSTOOD, error_msg=problem))
        elif talk.running is not None:
            said = 'a command of this conversation still runs; wait for it, or say "stop"'
            finish(Command.Result(error_code=Outcome.BUSY, error_msg=said))
        else:
            run = talk.running = Run(progress)
            world = LiveWorld(self._links, self._config(), request, name)
            work = partial(self._run, request, talk, run, world, tell, finish)
            thread = threading.Thread(target=work, name=f"command {name}", daemon=True)
            self._threads = [*filter(threading.Thread.is_alive, self._threads), thread]
            thread.start()

    def shutdown(self) -> None:
        """Cancel what runs, wait until it has ended, and follow nothing any longer."""
        for talk in self._talks.values():
            if talk.running is not None:
                talk.running.stop(Outcome.SHUTDOWN, DEACTIVATED)
        for thread in self._threads:
            thread.join()
        for handle in list(self._links.followed.values()):
            self._links.track.cancel(handle)
        self._links.followed.clear()
        self._talks.clear()

    def _talk(self, name: str) -> Talk:
        talk = self._talks.setdefault(name, Talk())
        self._talks.move_to_end(name)
        idle = [key for key, other in self._talks.items() if other.running is None and key != name]
        for key in idle[: max(0, len(self._talks) - self._config().conversations)]:
            del self._talks[key]
        return talk

    def _stop(self, talk: Talk) -> Command.Result:
        done = []
        if talk.running is not None:
            talk.running.stop(Outcome.CANCELED, "stopped by a later command")
            done.append("the command was stopped")
        ids = frozenset().union(*(turn.tracks for turn in talk.conversation.turns)) & self._links.followed.keys()
        for track_id in ids:
            self._links.track.cancel(self._links.followed.pop(track_id))
        if ids:
            done.append(f"targets that are no longer followed: {len(ids)}")
        return Command.Result(reply="; ".join(done) or "nothing of this conversation runs")

    def _run(self, request: Command.Goal, talk: Talk, run: Run, world: LiveWorld, tell: Tell, finish: Finish) -> None:
        """In the command's thread."""

        def on_step(number: int, plan: Plan, said: str) -> None:
            modules = [index for index, step in enumerate(plan, 1) if step.kind == "module"]
            world.output = request.output if modules and number == modules[-1] else ""
            feedback.step, feedback.steps, feedback.name = number, len(plan), plan[number - 1].text
            feedback.reply = said

        def on_progress(fraction: float, preview: object) -> None:
            feedback.progress = fraction
            feedback.preview, world.preview = world.preview, []
            tell(feedback)

        feedback = Command.Feedback()
        watched = Progress(on_progress)
        watched.cancelled_with(run.progress)
        try:
            result = _result(do(request.text, world, talk.conversation, watched, on_step), world)
        except Cancelled:
            result = Command.Result(error_code=run.outcome, error_msg=run.said)
        except CommandFailure as error:
            result = Command.Result(error_code=error.outcome, error_msg=str(error), reply=feedback.reply)
        except VitronError as error:
            result = Command.Result(error_code=Outcome.MODULE_ERROR, error_msg=str(error), reply=feedback.reply)
        except Exception:
            self._log_bug()
            result = Command.Result(error_code=Outcome.INTERNAL_ERROR, error_msg=BUG)
        result.invocations = world.invocations
        world.close()
        talk.running = None
        finish(result)


def _result(reply: Reply[LivePictures], world: LiveWorld) -> Command.Result:
    result = Command.Result(reply=reply.text)
    if (target := reply.target) is not None and target.region is not None and len(target.region.points) == 2:
        stamp = time_from_ns(target.stamp_ns)
        box = target.region.points.reshape(4)
        result.tracks = [
            Track(id=target.track_id, label=target.phrase, state=Track.TRACKED, box=box, score=1.0, grounded=stamp)
        ]
    if reply.pictures is not None:
        made = reply.pictures.result
        result.images, result.masks, result.path = made.images, made.masks, made.path
    return result


@dataclass(slots=True, eq=False)
class CommandGoal(OpenGoal):
    """An open goal."""

    progress: Progress = field(default_factory=Progress)


class CommandAction(GoalServer[CommandGoal]):
    """The Command action.

    Args:
        runs: does the commands.
        is_active: whether the node takes goals.
    """

    goal_class = CommandGoal

    def __init__(
        self,
        node: LifecycleNode,
        config: Callable[[], CommandConfig],
        runs: CommandRuns,
        is_active: Callable[[], bool],
    ) -> None:
        super().__init__(node, Command, "command", config)
        self._runs = runs
        self._is_active = is_active

    def check(self, request: Command.Goal) -> None:
        if not self._is_active():
            raise InactiveError
        if not request.text.strip():
            raise ConfigError("say in text what to do")

    def begin(self, goal: CommandGoal) -> None:
        def tell(feedback: Command.Feedback) -> None:
            self.publish_feedback(goal, lambda: feedback)

        self._runs.start(goal.request, goal.progress, tell, partial(self.finish, goal))

    def cancel(self, goal: CommandGoal) -> None:
        goal.progress.cancel()
