"""One goal while it is being carried out."""

from dataclasses import dataclass, field

from vitron_ros.streaming.goals import GoalFeedback, GoalResult, Outcome, Phase, TrackRequest
from vitron_ros.streaming.phrase_search import PhraseSearch
from vitron_ros.tracking.track import TrackSnapshot


@dataclass(slots=True, kw_only=True, eq=False)
class GoalState:
    """A goal that is being carried out. `GoalManager` alone changes it.

    Attributes:
        is_ahead: its region was drawn on an image that had not come yet.
        seen_ns: time of the last frame with a target in sight.
        unseen_in_a_row: frames since then.
        searches: one for each thing that its prompt names; none where a region shows what is meant.
        note: what the prompt asks for and the goal leaves out.
    """

    id: str
    request: TrackRequest
    accepted_ns: int
    searches: tuple[PhraseSearch, ...] = ()
    note: str = ""
    is_ahead: bool = False
    found_ns: int | None = None
    seen_ns: int = 0
    unseen_in_a_row: int = 0
    phase: Phase = Phase.GROUNDING
    track_ids: list[int] = field(default_factory=list)
    tracks: tuple[TrackSnapshot, ...] = ()
    frames_tracked: int = 0
    frames_lost: int = 0
    times_reacquired: int = 0

    @property
    def open_searches(self) -> list[PhraseSearch]:
        """Those that go on."""
        return [search for search in self.searches if not search.is_over]

    def room(self, search: PhraseSearch, max_targets: int) -> int:
        """How many targets a search may add, of `max_targets` at most. Each other that has none keeps one."""
        others = [other for other in self.open_searches if other is not search and not other.found]
        held = len(self.track_ids) + sum(max(len(other.catch_ups), 1) for other in others)
        limit = max_targets if self.request.max_targets is None else min(self.request.max_targets, max_targets)
        wanted = limit if search.count is None else search.count - search.found
        return min(wanted, limit - held)

    def feedback(self, phase: Phase | None = None) -> GoalFeedback:
        return GoalFeedback(phase=self.phase if phase is None else phase, tracks=self.tracks)

    def result(self, outcome: Outcome, message: str) -> GoalResult:
        return GoalResult(
            outcome=outcome,
            message="; ".join(filter(None, (message, self.note, *(search.shortage for search in self.open_searches)))),
            tracks=self.tracks,
            frames_tracked=self.frames_tracked,
            frames_lost=self.frames_lost,
            times_reacquired=self.times_reacquired,
        )
