"""The core's log lines through the node's logger, and words of every log."""

import logging

from rclpy.impl.rcutils_logger import RcutilsLogger


def camera_words(name: str) -> str:
    """How to name a camera; the only one of a node has no name."""
    return f"camera {name!r}" if name else "the camera"


class _NodeHandler(logging.Handler):
    def __init__(self, logger: RcutilsLogger) -> None:
        super().__init__()
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        # One line a severity: rclpy remembers the severity of each calling line and refuses another one there.
        text = self.format(record)
        if record.levelno >= logging.ERROR:
            self._logger.error(text)
        elif record.levelno >= logging.WARNING:
            self._logger.warning(text)
        else:
            self._logger.info(text)


def forward_logs(node_logger: RcutilsLogger, core_logger: logging.Logger) -> None:
    """Send what the core logs to the node's logger, and nowhere else. The newest node of a process wins."""
    core_logger.handlers = [_NodeHandler(node_logger)]
    core_logger.propagate = False
    core_logger.setLevel(logging.INFO)
