"""The node command: one front door for sentences, by the Command action and by the topics command and answer.

It is a process of its own since a chain's images would hold up perception's: their messages are packed and unpacked
under the interpreter's lock. It knows the other nodes by their actions alone.
"""

import vitron_ros.ros.require_middleware  # noqa: F401  before rclpy

# isort: split
import sys
import traceback
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from typing import get_args

from sensor_msgs.msg import Image
from std_msgs.msg import String
from vitron_msgs.action import Command, Converse, RunModule, TrackObject
from vitron_msgs.msg import TrackArray

from vitron_ros.commands.settings import CommandConfig
from vitron_ros.module_registry import Node as NodeName
from vitron_ros.modules.module import Progress
from vitron_ros.ros import qos
from vitron_ros.ros.blocking_calls import BlockingClient
from vitron_ros.ros.command_action import CommandAction, CommandRuns
from vitron_ros.ros.configured_node import ConfiguredNode
from vitron_ros.ros.image_history import ImageHistory
from vitron_ros.ros.live_world import TRACKS_KEPT, Links
from vitron_ros.ros.remote_action import RemoteAction
from vitron_ros.ros.run import run_node


class CommandNode(ConfiguredNode[CommandConfig]):
    """Wires commands to perception, the modules and the cameras; what a sentence means is the core's.

    Transitions, and what follows when one fails:
        configure: reads parameters, makes the clients and the action server. FAILURE: stays unconfigured.
        activate: subscribes to the cameras, their tracks and the topic command.
        deactivate: unsubscribes, ends all commands, follows nothing any longer.
        cleanup: destroys the clients and the action server.
    """

    def __init__(self, **kwargs: object) -> None:
        super().__init__("command", CommandConfig(), **kwargs)
        self._histories: dict[str, ImageHistory] = {}
        self._tracks: dict[str, deque[TrackArray]] = {}
        self._subscriptions_made = ExitStack()

    def configure(self) -> str:
        self.read_config()
        undo = self.undo
        self._answers = self.managed_publisher(String, "answer", qos.EVENTS)
        playback = self.managed_publisher(Image, "playback", qos.IMAGE["reliable"])
        converse = BlockingClient(self, Converse, "converse", "perception")
        undo.callback(converse.destroy)
        track = BlockingClient(self, TrackObject, "track", "perception")
        undo.callback(track.destroy)
        modules: dict[NodeName, RemoteAction] = {
            name: RemoteAction(self, RunModule, f"{name}/run", name) for name in get_args(NodeName)
        }
        for client in modules.values():
            undo.callback(client.destroy)
        links = Links(
            node=self,
            converse=converse,
            track=track,
            modules=modules,
            histories=self._histories,
            tracks=self._tracks,
            play=playback.publish,
        )
        self._runs = CommandRuns(links, lambda: self.config, self._log_bug)
        self._action = CommandAction(self, lambda: self.config, self._runs, lambda: self.stage == "active")
        undo.callback(self._action.destroy)
        return "configured: takes commands by the action and the topic command"

    def activate(self) -> str:
        undo = self._subscriptions_made
        for name in self.config.cameras or ("",):
            self._histories[name] = ImageHistory(self, name, self.config)
            arrays = self._tracks[name] = deque(maxlen=TRACKS_KEPT)
            topic = f"{name}/tracks".lstrip("/")
            keep = partial(self._keep, arrays)
            subscription = self.create_subscription(TrackArray, topic, keep, qos.TRACKS)
            undo.callback(self.destroy_subscription, subscription)
        undo.callback(
            self.destroy_subscription, self.create_subscription(String, "command", self._on_command, qos.EVENTS)
        )
        return f"active: {self.resolve_topic_name('command')}"

    def deactivate(self) -> None:
        with ExitStack() as steps:
            steps.callback(self._runs.shutdown)
            steps.callback(self._action.shutdown)
            while self._histories:
                steps.callback(self._histories.popitem()[1].close)
            steps.callback(self._subscriptions_made.close)

    def _keep(self, arrays: deque[TrackArray], message: TrackArray) -> None:
        arrays.append(message)

    def _on_command(self, message: String) -> None:
        """A sentence of the conversation "default"; what came of it is published on `answer`."""
        if message.data.strip():
            self._runs.start(Command.Goal(text=message.data), Progress(), lambda feedback: None, self._answer)

    def _answer(self, result: Command.Result) -> None:
        self._answers.publish(String(data=result.error_msg or result.reply))

    def _log_bug(self) -> None:
        self.get_logger().error(f"a command was ended by a bug\n{traceback.format_exc()}")


def main(argv: Sequence[str] | None = None) -> int:
    """The console script `command`."""
    return run_node(CommandNode, argv)


if __name__ == "__main__":
    sys.exit(main())
