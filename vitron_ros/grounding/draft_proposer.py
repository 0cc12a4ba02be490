"""A guess at how a list of boxes goes on, for the decoder to check in one pass: what moved goes on moving.

A guess costs little and changes nothing: the model still chooses every token, see `model.decoding`.
"""

from collections.abc import Sequence

from vitron_ros.model.answers import Box
from vitron_ros.model.grammar import State

SIDES = 4
REACH = 8  # tokens at most from a choice between "a box" and "none" to the box's first number


class DraftProposer:
    """Guesses the rest of the box that an answer has come to, each number by those before it.

    An edge goes on as from the last box but one to the last; a far edge (right, bottom) keeps the last box's size.
    """

    def __init__(self, grammar: State, scale: Sequence[int], first: Box | None = None) -> None:
        """
        Args:
            grammar: first state of the answer.
            scale: the tokens of 0, 1, ... 100; empty where these are several each, which are not guessed.
            first: that the answer is expected to begin with, in fractions; None: nothing is known of it.
        """
        self._grammar = grammar
        self._tokens = scale
        self._values = {token: value for value, token in enumerate(self._tokens)}
        self._first = None if first is None else [round(100 * side) for side in first]

    def __call__(self, tokens: Sequence[int]) -> list[int]:
        """Tokens that may follow those of an answer, as far as the end of a box; none where nothing is known."""
        state, said = self._grammar, []
        for token in tokens:
            if self._is_number(state):
                said.append(self._values[token])
            state = state[token]
        guess: list[int] = []
        while state:
            if self._is_number(state):
                value = self._next(said)
                if value is None:
                    break
                token = self._tokens[value]
                said.append(value)
            elif len(state) == 1:
                token = next(iter(state))
            else:  # the shortest way to a box; with or without a space before the answer, the one that is trained
                steps = {each: self._steps(after, REACH) for each, after in state.items()}
                token = min(steps, key=steps.__getitem__)
                if steps[token] > REACH:
                    break
            guess.append(token)
            state = state[token]
            if said and self._is_number_end(said, token):
                break
        return guess

    def _next(self, said: Sequence[int]) -> int | None:
        """The next number after those of the boxes so far."""
        side, done = len(said) % SIDES, len(said) - len(said) % SIDES
        if not done:
            return None if self._first is None else self._first[side]
        last = said[done - SIDES : done]
        if side >= 2:
            value = said[done + side - 2] + last[side] - last[side - 2]
        else:
            before = said[done - 2 * SIDES : done - SIDES] or last
            value = 2 * last[side] - before[side]
        return min(max(value, 0), len(self._tokens) - 1)

    def _is_number(self, state: State) -> bool:
        return len(state) > 1 and len(self._tokens) > 0 and self._tokens[0] in state and self._tokens[-1] in state

    def _is_number_end(self, said: Sequence[int], token: int) -> bool:
        return len(said) % SIDES == 0 and token == self._tokens[said[-1]]

    def _steps(self, state: State, most: int) -> int:
        """Tokens from a state to the first number of a box, if at most `most`."""
        if self._is_number(state):
            return 0
        if most == 0:
            return REACH + 1
        return min((1 + self._steps(after, most - 1) for after in state.values()), default=REACH + 1)
