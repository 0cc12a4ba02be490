"""Inner loops as machine code: one call for what would be dozens of array operations.

Array operations let go of the interpreter's lock in each call, however short. Threads that make many of them hand it to
each other all the time, at some 40 us each time: two follow sixteen targets no faster than one. So only loops that take
more than 100 us let go of it.
"""

import logging
from collections.abc import Callable
from typing import TypeVar

from numba import njit

logger = logging.getLogger(__name__)

Loop = TypeVar("Loop", bound=Callable[..., object])


def compiled(function: Loop) -> Loop:
    """The function, compiled by its first call, and kept on disk for the processes after this one.

    It is kept beside its source or, where that is read-only, in the user's cache folder, or in NUMBA_CACHE_DIR. It may
    call compiled functions of its own file only: what is on disk is renewed when that file changes, not others.
    """
    return _compiled(function, nogil=False)


def compiled_unlocked(function: Loop) -> Loop:
    """The same; the function runs without the interpreter's lock."""
    return _compiled(function, nogil=True)


def _compiled(function: Loop, *, nogil: bool) -> Loop:
    try:
        loop: Loop = njit(function, nogil=nogil, error_model="numpy", cache=True)
    except RuntimeError as error:  # no folder can be written
        logger.warning("loops are compiled in every process anew; set NUMBA_CACHE_DIR to a writable folder: %s", error)
        loop = njit(function, nogil=nogil, error_model="numpy")
    return loop
