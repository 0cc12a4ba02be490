"""What the exit code of a command says. 2 is argparse's: the command line makes no sense."""

DONE = 0
FAILED = 1  # an error that the user can mend, or a result that is not complete
NOT_FOUND = 3  # all went well, and a target was not there
