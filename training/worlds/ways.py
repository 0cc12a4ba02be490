"""What one comes by on the way to the object of an expression, so that each step is one that can be seen at once."""

import numpy as np

from training.worlds.facts import AXIS_OF, YES, SceneView
from training.worlds.queries import Beside, Closest, Nth, Query, only_match


def way_to(query: Query, view: SceneView) -> tuple[int, ...]:
    """Objects in the order in which they are come by, without the one that is meant.

    To the third from the left leads the first and then the second, to what is beside an object that object.
    """
    if isinstance(query, Nth):
        axis, sign = AXIS_OF[query.direction]
        counted = np.flatnonzero(np.minimum(query.kind.truth(view), view.placed) == YES)
        ranked = counted[np.argsort(-sign * view.centres[counted, axis], kind="stable")]
        return tuple(ranked[: query.number - 1].tolist())
    if isinstance(query, Beside | Closest):
        anchor = only_match(query.anchor.truth(view))
        return () if anchor is None else (anchor,)
    return ()
