"""Ctrl-C in a run whose results so far are worth keeping."""

import os
import signal
import threading
from types import FrameType, TracebackType

_FIRST = b"\ninterrupted; what was done so far is being written (Ctrl-C once more to end without)\n"


class Interrupt:
    """While it is entered, the first Ctrl-C is noted and the second raises KeyboardInterrupt.

    An exception at the first one could strike anywhere, and the results would be lost unless by chance it struck where
    they can be kept. It does nothing in a thread other than the main one, which alone handles signals, nor in a command
    that ignores Ctrl-C, as a shell has those in the background do.

    Attributes:
        is_asked: whether there was a first Ctrl-C; to be looked at between two pieces of work.
    """

    def __init__(self) -> None:
        self.is_asked = False
        self._before: signal._HANDLER = None

    def __enter__(self) -> "Interrupt":
        is_ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        if threading.current_thread() is threading.main_thread() and not is_ignored:
            self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.is_asked:
            raise KeyboardInterrupt
        self.is_asked = True
        os.write(2, _FIRST)  # a print could meet another one that the signal has struck
