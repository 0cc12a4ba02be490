"""A managed node with the settings of a configuration class, which starts by itself and ends when a worker dies."""

import logging
from collections.abc import Sequence
from typing import Generic, TypeVar

from rcl_interfaces.msg import SetParametersResult
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter

from vitron_ros.ros.logs import forward_logs
from vitron_ros.ros.managed_node import EXPECTED, ManagedNode
from vitron_ros.ros.namesake_watch import NamesakeWatch
from vitron_ros.ros.parameters import change_parameters, declare_parameters, read_parameters

NAMESAKE_PERIOD_S = 5.0

Config = TypeVar("Config")


class ConfiguredNode(ManagedNode, Generic[Config]):
    """Its parameters are the fields of `config`, one of which is `autostart`.

    Attributes:
        config: the present settings; those that are wrong at the start are named when `configure` reads them.
        crash_guard: to be triggered, from any thread, when a worker died of a bug: the process ends.
    """

    def __init__(self, name: str, config: Config, **kwargs: object) -> None:
        super().__init__(name, **kwargs)
        self.config = config
        self.crash_guard = self.create_guard_condition(self._fail)
        forward_logs(self.get_logger(), logging.getLogger("vitron_ros"))
        declare_parameters(self, config)
        self.add_on_set_parameters_callback(self._on_set_parameters)
        self.add_post_set_parameters_callback(self._after_set_parameters)
        self._namesake_watch = NamesakeWatch(self)
        self._has_namesake = False
        self.steady_timer(NAMESAKE_PERIOD_S, self._look_for_namesake)
        if self.get_parameter("autostart").value is not False:  # what is no bool is refused by configure
            self._autostart = self.steady_timer(0.0, self._start)

    def read_config(self) -> Config:
        """Take the parameters as they are; the first thing that `configure` does."""
        self.config = read_parameters(self, self.config)
        return self.config

    def judge(self, config: Config) -> None:
        """Raises one of `EXPECTED` if these settings cannot be; it changes nothing, since others may refuse."""

    def reconfigured(self) -> None:
        """Told that `config` has changed."""

    def _start(self) -> None:
        self.destroy_timer(self._autostart)
        if self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()

    def _look_for_namesake(self) -> None:
        problem = self._namesake_watch.problem
        if problem and not self._has_namesake:
            self.get_logger().error(problem)
        self._has_namesake = bool(problem)

    def _on_set_parameters(self, parameters: Sequence[Parameter]) -> SetParametersResult:
        try:
            self.judge(change_parameters(self, self.config, parameters, self.stage))
        except EXPECTED as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _after_set_parameters(self, parameters: Sequence[Parameter]) -> None:
        self.config = change_parameters(self, self.config, parameters, self.stage)
        self.reconfigured()

    def _fail(self) -> None:
        self.get_logger().fatal("a worker died of a bug; the trace is above")
        self.has_failed = True
