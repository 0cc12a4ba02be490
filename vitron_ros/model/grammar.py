"""The grammar of box answers, as a tree of tokens: in each state the tokens that may come next.

Where only one may come, it is forced without a model pass. So of `Frame 1: [23,45,46,72], ...` the model decodes only
the coordinates, and whether a frame has a box or "none".
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TypeAlias

from vitron_ros.errors import ModelError
from vitron_ros.model.answers import NONE
from vitron_ros.model.tokenizer import Tokenizer

State: TypeAlias = dict[int, "State"]  # next token -> the state after it; empty: the answer is over

END: State = {}
CACHED_GRAMMARS = (
    16  # grammars, of thousands of states each: those of one model's clips. They keep its tokenizer, and outlive it
)


@lru_cache(maxsize=CACHED_GRAMMARS)
def box_grammar(tokenizer: Tokenizer) -> State:
    """First state of the answers to REC: one box of whole numbers 0..100, or "none".

    Raises:
        ModelError: the tokenizer merges numbers with the signs around them.
    """
    over = {tokenizer.eos_id: END}
    after_box = literal(_inside(tokenizer, "[0,0,0,0", "]", ""), over)
    box = _box(tokenizer, after_box)
    return branch([*_starts(tokenizer, "[", box), *_starts(tokenizer, NONE, over)])


@lru_cache(maxsize=CACHED_GRAMMARS)
def track_grammar(tokenizer: Tokenizer, frames: int) -> State:
    """First state of the answers to RSOT and SOT over a number of frames: in each a box or "none", or "none" at all.

    Raises:
        ModelError: there is no frame, or the tokenizer merges numbers with the signs around them.
    """
    if frames < 1:
        raise ModelError(f"a track over {frames} frames has no answer; give at least one frame")
    over = {tokenizer.eos_id: END}
    boxes: dict[int, State] = {}
    for frame in range(frames, 0, -1):
        before = f"Frame {frame}: [0,0,0,0"
        paths = [(_inside(tokenizer, before, "]" + _absent(frame + 1, frames) + ".", ""), over)]
        for later in range(frame + 1, frames + 1):
            text = f"]{_absent(frame + 1, later - 1)}, Frame {later}: ["
            paths.append((_inside(tokenizer, before, text, "0"), boxes[later]))
        boxes[frame] = _box(tokenizer, branch(paths))
    starts = [*_starts(tokenizer, NONE, over), *_starts(tokenizer, _absent(1, frames)[2:] + ".", over)]
    for first in range(1, frames + 1):
        starts += _starts(tokenizer, f"{_absent(1, first - 1)}, Frame {first}: ["[2:], boxes[first])
    return branch(starts)


def literal(tokens: Sequence[int], then: State) -> State:
    """The state before a run of tokens that are all forced."""
    for token in reversed(tokens):
        then = {token: then}
    return then


def branch(paths: Iterable[tuple[Sequence[int], State]]) -> State:
    """The state before several runs of tokens, each with the state after it; common beginnings are shared."""
    runs = [(tuple(tokens), then) for tokens, then in paths]
    if len({tokens for tokens, _ in runs}) < len(runs):
        raise ModelError("two answers of the grammar have the same tokens; its tokenizer loses text")
    root: State = {}
    # Long runs first: a shorter one then ends inside this tree, never in the state after another run.
    for tokens, then in sorted(runs, key=lambda run: len(run[0]), reverse=True):
        state = root
        for token in tokens[:-1]:
            state = state.setdefault(token, {})
        last = tokens[-1]
        if last not in state:
            state[last] = then
        elif state[last].keys() & then.keys():
            raise ModelError("one answer of the grammar is the beginning of another; it needs a sign between them")
        else:
            state[last].update(then)
    return root


def _box(tokenizer: Tokenizer, then: State) -> State:
    """The state after the opening bracket: four numbers, then what follows."""
    numbers = tokenizer.number_ids()
    comma = _inside(tokenizer, "[0", ",", "0")
    for count in range(4):
        then = branch((number, literal(comma, then) if count else then) for number in numbers)
    return then


def _absent(first: int, last: int) -> str:
    return "".join(f", Frame {frame}: {NONE}" for frame in range(first, last + 1))


def _starts(tokenizer: Tokenizer, text: str, then: State) -> list[tuple[list[int], State]]:
    """The beginning of an answer, with and without a space after the prompt."""
    tokens = [tokenizer.encode_answer(text), tokenizer.encode(text)]
    return [(run, then) for index, run in enumerate(tokens) if run not in tokens[:index]]


def _inside(tokenizer: Tokenizer, before: str, text: str, after: str) -> list[int]:
    """Tokens of `text` where it stands between numbers.

    Raises:
        ModelError: they depend on the numbers.
    """
    head, body = tokenizer.encode_answer(before), tokenizer.encode_answer(before + text)
    if body[: len(head)] != head or tokenizer.encode_answer(before + text + after)[: len(body)] != body:
        raise ModelError(f"this tokenizer merges numbers with {text!r} beside them; decode its boxes without a grammar")
    return body[len(head) :]
