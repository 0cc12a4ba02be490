"""The tiny models of tests/model serve the tests of the commands, too."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "model"))
