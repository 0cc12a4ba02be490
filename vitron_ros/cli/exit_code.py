"""How a command ends: what a person can mend is one line on stderr, and a bug is a traceback."""

import sys
from collections.abc import Callable

from vitron_ros.errors import VitronError

INTERRUPTED = 130  # as shells have it: 128 + SIGINT


def exit_code(name: str, run: Callable[[], int]) -> int:
    """Runs a command; gives its exit code, or 1 after an error that the user can mend, and 130 after Ctrl-C."""
    try:
        return run()
    except VitronError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader of a pipe has seen enough
        sys.stderr.close()
        return 0
