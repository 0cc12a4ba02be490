"""What model fusion knows about one target."""

from dataclasses import dataclass

from vitron_ros.streaming.fusion_decision import RELIABILITY_FROM_MODEL, ModelReliability, TimedBox
from vitron_ros.tracking.catch_up import CatchUp


@dataclass(slots=True, eq=False)
class TargetState:
    """What the model has shown about a target that exists. `ModelFusion` alone changes it.

    Attributes:
        is_grouped: it is one of several of a phrase, which are found together; see `ModelFusion.receive_candidates`.
        misses: replies in a row that name others of its group, and not it.
        is_unproven: the model has found it by its phrase only once.
        is_moved: the model has put it elsewhere, given its box, and its phrase has not named it there yet. So what its
            tracker has learned since may be of another thing, and says nothing against the phrase.
        asks_by_phrase: it is asked for by its phrase next, and not by its box.
        needs_whole_image: it was not in the ROI crop that the model was last shown.
        found_by_phrase: where the model last found it by its phrase, and the tracker agreed.
        catch_up: a box of the model on its way to now.
        catch_up_by_phrase: the model was asked for it by the phrase, and not given the target's box.
    """

    reliability: ModelReliability
    is_grouped: bool = False
    misses: int = 0
    is_unproven: bool = False
    is_moved: bool = False
    asks_by_phrase: bool = False
    needs_whole_image: bool = False
    found_by_phrase: TimedBox | None = None
    catch_up: CatchUp | None = None
    catch_up_by_phrase: bool = False

    @classmethod
    def begin(cls, *, by_model: bool, is_grouped: bool = False) -> "TargetState":
        """Of a new target, which the model found, or did not."""
        value = RELIABILITY_FROM_MODEL if by_model else 0.0
        return cls(ModelReliability.begin(value), is_grouped=is_grouped, is_unproven=by_model)
