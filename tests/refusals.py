"""How a user is told what is wrong."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

LONGEST = 1000  # characters, with a path of the test among them


@contextmanager
def assert_refused(error: type[Exception], sentence: str) -> Iterator[None]:
    """The block raises that error, of one line that a terminal shows whole. sentence: a regular expression in it."""
    with pytest.raises(error, match=sentence) as caught:
        yield
    assert "\n" not in str(caught.value) and len(str(caught.value)) < LONGEST
