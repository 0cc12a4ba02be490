"""How a command ends: its exit code. What a person can mend is one line on stderr, and a bug is a traceback."""

import sys
from collections.abc import Callable

from vitron_ros.errors import VitronError

DONE = 0
FAILED = 1  # an error that the user can mend, or a result that is not complete
USAGE = 2  # argparse's: the command line makes no sense
NOT_FOUND = 3  # all went well, and a target was not there, or a question has no answer
INTERRUPTED = 130  # as shells have it: 128 + SIGINT


def exit_code(name: str, run: Callable[[], int]) -> int:
    """Runs a command; gives its exit code: FAILED after an error that the user can mend, INTERRUPTED by Ctrl-C."""
    try:
        return run()
    except VitronError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader of a pipe has seen enough
        sys.stderr.close()
        return DONE
