"""How a command ends: its exit code. What a person can mend is one line on stderr, and a bug is a traceback."""

import sys
from collections.abc import Callable

from vitron_ros.errors import UsageError, VitronError

DONE = 0
FAILED = 1  # an error that the user can mend, or a result that is not complete
USAGE = 2  # the command line makes no sense; argparse's, too
NOT_FOUND = 3  # all went well, and a target was not there, or a question has no answer
INTERRUPTED = 130  # as shells have it: 128 + SIGINT


def exit_code(name: str, run: Callable[[], int]) -> int:
    """Runs a command; gives its exit code: FAILED or USAGE after an error that the user can mend, or INTERRUPTED."""
    try:
        return run()
    except VitronError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return USAGE if isinstance(error, UsageError) else FAILED
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader of a pipe has seen enough
        sys.stderr.close()
        return DONE
