"""A lifecycle node whose transitions succeed, or say why not and are undone."""

import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.exceptions import NameValidationException
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.qos import QoSProfile
from rclpy.timer import Timer

from vitron_ros.errors import VitronError
from vitron_ros.ros import qos
from vitron_ros.ros.parameters import Stage
from vitron_ros.ros.trim_memory import trim_memory

EXPECTED = (VitronError, OSError, NameValidationException)  # what settings, files and names can lead to


class ManagedNode(LifecycleNode, ABC):
    """Subclasses say what the transitions do in `configure`, `activate` and `deactivate`, which may raise anything.

    rclpy drops what a transition raises without a word. Here it is logged: a sentence for what a user can mend, the
    trace of a bug. Then what the transition made is let go.

    Attributes:
        stage: where the node is in its life.
        is_configuring: `configure` is at work.
        has_failed: a bug was met; the process must end.
        is_leaving: the process ends.
        undo: what `configure` made, to be let go in reverse order; `configure` fills it.
    """

    def __init__(self, name: str, **kwargs: object) -> None:
        super().__init__(name, **kwargs)
        self.stage: Stage = "unconfigured"
        self.is_configuring = False
        self.has_failed = False
        self.is_leaving = False
        self.undo = ExitStack()

    @abstractmethod
    def configure(self) -> str:
        """Make what the node needs; what to tell of it."""

    @abstractmethod
    def activate(self) -> str:
        """Begin to work; what to tell of it."""

    @abstractmethod
    def deactivate(self) -> None:
        """Cease to work, also where `activate` stopped half way. Called twice it does nothing.

        The transitions `shutdown` and `error` call it first, too, where the node is active.
        """

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        self.is_configuring = True
        is_done = self._succeeds("configure", self.configure)
        self.is_configuring = False
        if is_done:
            self.stage = "inactive"
            return super().on_configure(state)
        self._succeeds("clean up", self.undo.close)
        return TransitionCallbackReturn.FAILURE

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        result = super().on_activate(state)
        if self._succeeds("activate", self.activate):
            self.stage = "active"
            return result
        self._succeeds("deactivate", self.deactivate)
        super().on_deactivate(state)
        return TransitionCallbackReturn.FAILURE

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        self.stage = "inactive"
        is_done = self._succeeds("deactivate", self.deactivate)
        result = super().on_deactivate(state)
        return result if is_done else TransitionCallbackReturn.ERROR

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        return super().on_cleanup(state) if self._release() else TransitionCallbackReturn.ERROR

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        return super().on_shutdown(state) if self._release() else TransitionCallbackReturn.ERROR

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._release()
        return TransitionCallbackReturn.SUCCESS

    def close(self) -> None:
        """Deactivate, so that every client hears how its goal ended while the executor still spins."""
        self.is_leaving = True
        if self.stage == "active":
            self.trigger_deactivate()

    def destroy_node(self) -> None:
        """Let go of everything, in whatever state the node is."""
        self.executor = None  # nobody spins it any more
        self._release()
        super().destroy_node()

    def trim_memory(self) -> None:
        """Give memory that is needed no longer back to the system, unless the process ends anyway."""
        if not self.is_leaving:
            trim_memory()

    def managed_publisher(self, kind: Any, topic: str, profile: QoSProfile) -> Any:
        """A publisher that speaks while the node is active and is let go with what `configure` made.

        Raises:
            ConfigError: a parameter overrides its QoS with what cannot be.
        """
        made = self.create_lifecycle_publisher(kind, topic, **qos.overridable(self, "publisher", topic, profile))
        self.undo.callback(self.destroy_lifecycle_publisher, made)
        return made

    def steady_timer(self, period_s: float, callback: Callable[[], object]) -> Timer:
        """A timer that goes on where the node's own clock stands still, as it may with `use_sim_time`."""
        return self.create_timer(period_s, callback, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def _release(self) -> bool:
        """Undo `activate` and `configure`; whether that went well. Does nothing where there is nothing to undo."""
        was_active, self.stage = self.stage == "active", "unconfigured"
        is_done = not was_active or self._succeeds("deactivate", self.deactivate)
        return self._succeeds("clean up", self.undo.close) and is_done

    def _succeeds(self, attempt: str, step: Callable[[], str | None]) -> bool:
        """Take a step, and log what it tells or raises."""
        try:
            told = step()
        except EXPECTED as error:
            self.get_logger().error(f"cannot {attempt}: {error}")
            return False
        except Exception:
            self.get_logger().error(f"cannot {attempt}, because of a bug\n{traceback.format_exc()}")
            return False
        if told:
            self.get_logger().info(told)
        return True
