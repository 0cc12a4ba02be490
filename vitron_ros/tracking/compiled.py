"""Inner loops as machine code: one call for what would be dozens of array operations.

They run without the interpreter's lock. Two threads that both make many short calls mostly wait for it: with array
operations alone, two threads followed sixteen targets no faster than one.
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
    try:
        loop: Loop = njit(function, nogil=True, error_model="numpy", cache=True)
    except RuntimeError as error:  # no folder can be written
        logger.warning("loops are compiled in every process anew; set NUMBA_CACHE_DIR to a writable folder: %s", error)
        loop = njit(function, nogil=True, error_model="numpy")
    return loop
