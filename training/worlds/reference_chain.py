"""Reference chains: the intermediate objects of a multi-step reference, in the order in which they are resolved."""

import numpy as np

from training.worlds.facts import AXIS_OF, YES, SceneView
from training.worlds.queries import Beside, Closest, Nth, Query, only_match


def reference_chain(query: Query, view: SceneView) -> tuple[int, ...]:
    """Intermediate objects, without the referent itself: for the third from the left the first and the second, for a
    relation its anchor.
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
