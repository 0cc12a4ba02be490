"""Greedy decoding of a transformers model that can be stopped at every token, with the probabilities of what it said.

Shapes: S new tokens, W watched tokens.
"""

import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList, StoppingCriteria, StoppingCriteriaList

from vitron_ros.errors import CallbackError
from vitron_ros.grounding.request import ModelRequest

logger = logging.getLogger(__name__)

Finish = Literal["stop", "length", "cancelled", "deadline", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Generated:
    """What a model said.

    Attributes:
        text: with its special tokens, if these are kept.
        tokens: (S,) ids.
        score: geometric mean of the probabilities of the tokens; 0 where there are none.
        watched: (S, W) probabilities of the watched tokens at each step.
        finish: stop: it ended by itself; length: at the last token that it was allowed; failed: a callback raised.
        error: of a failed one, a sentence.
    """

    text: str
    tokens: tuple[int, ...]
    score: float
    watched: Tensor
    finish: Finish
    error: str = ""


def make_greedy(model: Any) -> None:
    """Leaves nothing of how a checkpoint wants to be sampled but the tokens that begin and end a text.

    Published ones ask for random sampling, several beams, or a penalty on repetition, which the digits of boxes pay.
    """
    own = model.generation_config
    names = ("eos_token_id", "pad_token_id", "bos_token_id", "decoder_start_token_id", "forced_bos_token_id")
    kept = {name: value for name in names if (value := getattr(own, name, None)) is not None}
    if "pad_token_id" not in kept and "eos_token_id" in kept:
        ends = kept["eos_token_id"]
        kept["pad_token_id"] = ends if isinstance(ends, int) else ends[0]
    model.generation_config = GenerationConfig(do_sample=False, num_beams=1, **kept)


def generate(
    model: Any,
    inputs: dict[str, Tensor],
    request: ModelRequest,
    *,
    decode: Callable[[Sequence[int]], str],
    max_new_tokens: int,
    watch: Tensor | None = None,
    say: Callable[[str], None] | None = None,
    now_ns: Callable[[], int] = time.monotonic_ns,
) -> Generated:
    """The greedy answer of a model after `make_greedy`, under the terms of a request, which are asked at every token.

    Args:
        inputs: of the model, for one text.
        decode: token ids to text.
        watch: (W,) ids of tokens whose probabilities are kept.
        say: given the text so far at each token.
        now_ns: the clock of the request's deadline.
    """
    recorder = _Recorder(None if watch is None else watch.to(model.device))
    limits = _Limits(request, decode, say, now_ns)
    ids = model.generate(
        **inputs,
        max_new_tokens=max_new_tokens,
        logits_processor=LogitsProcessorList([recorder]),
        stopping_criteria=StoppingCriteriaList([limits]),
    )[0].tolist()
    tokens = tuple(ids[len(ids) - len(recorder.logprobs) :])
    finish = limits.finish or ("length" if len(tokens) >= max_new_tokens and not _ends(model, tokens) else "stop")
    logprobs = recorder.logprobs
    return Generated(
        text=decode(tokens),
        tokens=tokens,
        score=math.exp(sum(logprobs) / len(logprobs)) if logprobs else 0.0,
        watched=torch.stack(recorder.watched).cpu() if recorder.watched else torch.empty(0, 0),
        finish=finish,
        error=limits.error,
    )


def _ends(model: Any, tokens: Sequence[int]) -> bool:
    ends = model.generation_config.eos_token_id
    return bool(tokens) and tokens[-1] in ([ends] if isinstance(ends, int) else ends or [])


class _Recorder(LogitsProcessor):  # type: ignore[misc]
    """Notes the probability of each token that greedy decoding takes, and those of the watched ones."""

    def __init__(self, watch: Tensor | None) -> None:
        self.logprobs: list[float] = []
        self.watched: list[Tensor] = []
        self._watch = watch

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        logprobs = torch.log_softmax(scores[0].float(), dim=-1)  # (V,)
        self.logprobs.append(float(logprobs.max()))
        if self._watch is not None:
            self.watched.append(logprobs[self._watch].exp())
        return scores


class _Limits(StoppingCriteria):  # type: ignore[misc]
    """Ends a text where its request is cancelled or late, and hands out how far it is."""

    def __init__(
        self,
        request: ModelRequest,
        decode: Callable[[Sequence[int]], str],
        say: Callable[[str], None] | None,
        now_ns: Callable[[], int],
    ) -> None:
        self.finish: Finish | None = None
        self.error = ""
        self._request, self._decode, self._say, self._now_ns = request, decode, say, now_ns
        self._new = 0

    def __call__(self, input_ids: Tensor, scores: Any, **kwargs: Any) -> Tensor:
        self._new += 1
        self.finish = self._finish(input_ids[0, -self._new :])
        return torch.full((len(input_ids),), self.finish is not None, device=input_ids.device)

    def _finish(self, tokens: Tensor) -> Finish | None:
        try:
            name = "is_cancelled"
            if self._request.is_cancelled():
                return "cancelled"
            name = "on_text"
            if self._say is not None:
                self._say(self._decode(tokens.tolist()))
        except Exception as error:  # the caller's code, which may raise anything
            logger.exception("a caller's %s failed", name)
            self.error = str(CallbackError(name, error))
            return "failed"
        deadline_ns = self._request.deadline_ns
        return "deadline" if deadline_ns is not None and self._now_ns() >= deadline_ns else None
