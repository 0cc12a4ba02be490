"""Decoding: prompts in as embeddings, answers out as text, over one static cache.

By default decoding is greedy, and takes the median of coordinates: the one with the least expected error. The output is
that of the plain model, whatever saves passes:

- prefix caching: a prefix in the cache (system text, earlier turns, another request's images) is not computed again;
- forced tokens: tokens that the grammar forces are appended in the same pass as the next free one;
- speculative decoding: a draft of the answer is verified in one pass, and accepted as far as the model agrees.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

from vitron_ros.errors import CallbackError, ConfigError, ModelError
from vitron_ros.model.grammar import State
from vitron_ros.model.kv_cache import CacheKind
from vitron_ros.model.language import LanguageModel
from vitron_ros.model.tokenizer import Tokenizer

logger = logging.getLogger(__name__)

FinishReason = Literal["stop", "length", "deadline", "cancelled", "failed"]

# A compiled step has fixed shapes: so many new tokens, and a cache read up to a power of two of at least this.
WIDTHS = (1, 4, 16)
MIN_LENGTH = 256
BOX_CHOICES = 5  # a box or none, and its four coordinates
NEAR_NUMBERS = 5  # numbers on a scale that count as the same


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """Sampling in place of greedy decoding.

    Attributes:
        temperature: above 0; logits are divided by it.
        top_p: tokens beyond this share of the probability are never drawn.
        seed: the same seed draws the same answer.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise ConfigError(f"temperature is {self.temperature}; it must be above 0, or decode without sampling")
        if not 0 < self.top_p <= 1:
            raise ConfigError(f"top_p is {self.top_p}; it must lie above 0 and at most at 1")


@dataclass(frozen=True, kw_only=True, eq=False)
class Request:
    """One prompt and how it is answered.

    Attributes:
        embeds: (S, C), the prompt.
        max_new_tokens: budget of the answer, forced tokens included.
        deadline_ns: on the decoder's clock; no pass starts after it. None: none.
        stop_texts: the answer ends before the first of these.
        grammar: first state of the answers allowed; None: all.
        draft: tokens that the answer may begin with, such as the box tracker's boxes.
        propose_draft: called before each pass once the draft is used up: tokens that may follow those of the answer.
        sampling: None: greedy.
        is_cancelled: called before each pass.
        scale: tokens of numbers in ascending order, such as coordinates. Where the grammar allows just these, the
            median is taken and the confidence includes near numbers. Empty: none.
        on_text: given the text so far after each pass that added to it.
    """

    embeds: Tensor
    max_new_tokens: int = 256
    deadline_ns: int | None = None
    stop_texts: tuple[str, ...] = ()
    grammar: State | None = None
    draft: tuple[int, ...] = ()
    propose_draft: Callable[[Sequence[int]], Sequence[int]] | None = None
    sampling: Sampling | None = None
    is_cancelled: Callable[[], bool] = lambda: False
    scale: tuple[int, ...] = ()
    on_text: Callable[[str], None] | None = None


@dataclass(frozen=True, kw_only=True)
class Decoded:
    """An answer.

    Attributes:
        text: the answer, without the stop text.
        token_ids: its tokens, without EOS.
        finish: the model or a stop text ended it, or the budget or context, the deadline or the caller cut it off, or
            a function of the caller's failed.
        error: how it failed, for a person; else empty.
        passes: model passes, the prompt's among them.
        prompt_tokens: length of the prompt.
        reused_tokens: those of them that were in the cache already.
        confidence: the joint probability of the tokens that were not forced, near numbers included; of a long answer
            that of as many as one box has, by the geometric mean; 1 where all were forced. Not compared: the last bits
            differ with the batch.
    """

    text: str
    token_ids: tuple[int, ...]
    finish: FinishReason
    passes: int
    prompt_tokens: int
    reused_tokens: int
    confidence: float = field(default=1.0, compare=False)
    error: str = ""


class Decoder:
    """Answers requests with one model. Owns the cache; used by one thread."""

    def __init__(
        self,
        language: LanguageModel,
        tokenizer: Tokenizer,
        *,
        capacity: int,
        rows: int = 1,
        cache: CacheKind = "full",
        compiled: bool = False,
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """
        Args:
            capacity: tokens of the longest prompt and its answer.
            rows: requests answered side by side.
            cache: kind of the `KVCache`.
            compiled: short passes go through torch.compile; the first of each shape takes long.
            now_ns: the clock that deadlines are on.
        """
        self._language, self._tokenizer, self._now_ns = language, tokenizer, now_ns
        # Without the C++ wrapper half of a small model's pass on a CPU is Python that calls kernels.
        options: dict[str, Any] = {"cpp_wrapper": True} if language.device.type == "cpu" else {}
        self._compiled = torch.compile(language.decode, dynamic=False, options=options) if compiled else None
        self._cache = language.new_cache(rows=rows, capacity=capacity, kind=cache)
        # What the cache holds, as embeddings: comparing them finds a common prefix of text and images alike.
        self._content = [torch.empty(0, language.config.hidden_size)] * rows

    @torch.inference_mode()
    def decode(self, requests: Sequence[Request]) -> list[Decoded]:
        """Answers the requests, side by side.

        Raises:
            ModelError: there are more requests than rows, a prompt is empty, has the wrong width or exceeds the
                context, or the model gives NaN.
        """
        if len(requests) > len(self._content):
            raise ModelError(
                f"{len(requests)} requests exceed the {len(self._content)} rows of this decoder; split them"
            )
        for request in requests:
            self.check(request)
        answers = [_DecodedAnswer(request, self._language.config.eos_token_id, self._tokenizer) for request in requests]
        for row, answer in enumerate(answers):
            self._prefill(row, answer)
        while any(answer.finish is None for answer in answers):
            self._step(answers)
        for row, answer in enumerate(answers):
            cached = self._cache.lengths[row] - len(answer.request.embeds)
            if answer.passes and cached:
                ids = torch.tensor(answer.tokens[:cached], device=self._language.device)
                self._content[row] = torch.cat([self._content[row], self._language.embed(ids)])
        return [answer.decoded() for answer in answers]

    def check(self, request: Request) -> None:
        """Passes a request that can be answered, so that one that cannot does no harm to those beside it.

        Raises:
            ModelError: the prompt is empty, has the wrong width or exceeds the context.
        """
        shape = tuple(request.embeds.shape)
        if len(shape) != 2 or shape[0] == 0 or shape[1] != self._language.config.hidden_size:
            raise ModelError(f"a prompt is (S, {self._language.config.hidden_size}) with S above 0, this is {shape}")
        if shape[0] >= self._cache.capacity:
            raise ModelError(
                f"a prompt of {shape[0]} tokens and its answer exceed the context of {self._cache.capacity}; "
                "send fewer frames, fewer earlier turns or shorter text"
            )

    def _prefill(self, row: int, answer: "_DecodedAnswer") -> None:
        if self._is_over(answer):
            return
        embeds, cache = answer.request.embeds, self._cache
        shared = [_common_prefix(content, embeds) for content in self._content]
        source = max(range(len(shared)), key=lambda other: (shared[other], other == row))
        # The last token of the prompt is always computed: its logits are the answer's first.
        reused = min(shared[source], len(embeds) - 1)
        if source != row:
            cache.copy_prefix(source, row, reused)
        cache.truncate(row, reused)
        # The content must never claim more than the cache holds, so it is set only after the pass.
        self._content[row] = embeds[:reused]
        draft = answer.propose(cache.capacity - len(embeds))
        new = embeds[reused:]
        if draft:
            new = torch.cat([new, self._language.embed(torch.tensor(draft, device=new.device))])
        logits = self._language.prefill(new, cache, row, keep=len(draft) + 1)
        if not bool(torch.isfinite(logits).all()):
            raise ModelError("the model gives NaN or infinity; its weights are damaged, or need bfloat16 or float32")
        cache.advance(row, len(embeds) - reused)
        self._content[row] = embeds
        answer.passes, answer.reused = 1, reused
        cache.advance(row, answer.verify(logits, draft, cache.capacity - len(embeds)))

    def _step(self, answers: Sequence["_DecodedAnswer"]) -> None:
        """One pass over all rows that are not finished."""
        cache = self._cache
        pending: list[list[int]] = []
        drafts: list[list[int]] = []
        for row, answer in enumerate(answers):
            is_over = answer.finish is not None or self._is_over(answer)
            cached = cache.lengths[row] - len(answer.request.embeds)
            pending.append([] if is_over else answer.tokens[cached:])
            drafts.append([] if is_over else answer.propose(cache.capacity - cache.lengths[row] - len(pending[row])))
        if not any(pending):
            return
        feeds = [tokens + draft for tokens, draft in zip(pending, drafts, strict=True)]
        logits = self._run(feeds)
        for row, answer in enumerate(answers):
            if not feeds[row]:
                continue
            answer.passes += 1
            cache.advance(row, len(pending[row]))
            room = cache.capacity - cache.lengths[row]
            own = logits[row, len(pending[row]) - 1 : len(feeds[row])]
            cache.advance(row, answer.verify(own, drafts[row], room))

    def _run(self, feeds: list[list[int]]) -> Tensor:
        """Logits (B, Q, V) after tokens that are new in each row, padded to the longest."""
        counts = [len(feed) for feed in feeds]
        width = max(counts)
        if self._compiled is None or width > WIDTHS[-1]:
            return self._language.decode(self._padded(feeds, width), self._cache.decode(counts), self._cache)
        width = next(size for size in WIDTHS if size >= width)
        needed = max(start + count for start, count in zip(self._cache.lengths, counts, strict=False))
        length = min(max(MIN_LENGTH, 1 << (needed - 1).bit_length()), self._cache.capacity)
        span = self._cache.decode(counts, width=width, length=length)
        return self._compiled(self._padded(feeds, width), span, self._cache)

    def _padded(self, feeds: list[list[int]], width: int) -> Tensor:
        return torch.tensor([feed + [0] * (width - len(feed)) for feed in feeds], device=self._language.device)

    def _is_over(self, answer: "_DecodedAnswer") -> bool:
        """True, and noted, if no further pass may start."""
        deadline_ns = answer.request.deadline_ns
        if answer.is_cancelled():
            answer.finish = answer.finish or "cancelled"
        elif deadline_ns is not None and self._now_ns() >= deadline_ns:
            answer.finish = "deadline"
        return answer.finish is not None


class _DecodedAnswer:
    """The answer to one request while it is decoded."""

    def __init__(self, request: Request, eos_id: int, tokenizer: Tokenizer) -> None:
        self.request, self._eos_id, self._tokenizer = request, eos_id, tokenizer
        self.tokens: list[int] = []
        self.finish: FinishReason | None = None
        self.error = ""
        self.passes = self.reused = 0
        self._state, self._scale = request.grammar, frozenset(request.scale)
        self._text: str | None = None
        self._log_p: list[Tensor] = []  # left on the device until the end: reading each would wait for it
        self._generator = torch.Generator()
        if request.sampling is not None:
            self._generator.manual_seed(request.sampling.seed)

    def is_cancelled(self) -> bool:
        """Whether the caller wants no more, or cannot say so without failing."""
        try:
            return self.request.is_cancelled()
        except Exception as error:  # the caller's code, which may raise anything
            self._fail("is_cancelled", error)
            return True

    def propose(self, room: int) -> list[int]:
        """Draft tokens for the next places."""
        budget = min(self.request.max_new_tokens - len(self.tokens), room)
        draft: Sequence[int] = self.request.draft[len(self.tokens) :]
        if not draft and self.request.propose_draft is not None:
            draft = self.request.propose_draft(self.tokens)
        return list(draft[: max(0, budget)])

    def verify(self, logits: Tensor, draft: Sequence[int], room: int) -> int:
        """Verifies a draft with logits (1 + len(draft), V); appends accepted tokens, the next one, and forced ones.

        Args:
            room: tokens that still fit in the context.

        Returns:
            How many tokens of the draft were accepted.
        """
        accepted = 0
        limit = min(self.request.max_new_tokens, len(self.tokens) + room)
        while True:
            token = self._choose(logits[accepted])
            self._append(token, limit)
            if self.finish or accepted == len(draft) or token != draft[accepted]:
                break
            accepted += 1
        while self.finish is None and self._state is not None and len(self._state) == 1:
            self._append(next(iter(self._state)), limit)
        self._report()
        return accepted

    def decoded(self) -> Decoded:
        assert self.finish is not None
        return Decoded(
            text=self._tokenizer.decode(self.tokens).strip() if self._text is None else self._text,
            token_ids=tuple(self.tokens),
            finish=self.finish,
            passes=self.passes,
            prompt_tokens=len(self.request.embeds),
            reused_tokens=self.reused,
            confidence=self._confidence(),
            error=self.error,
        )

    def _confidence(self) -> float:
        if not self._log_p:
            return 1.0
        return float((torch.stack(self._log_p).mean() * min(len(self._log_p), BOX_CHOICES)).exp())

    def _append(self, token: int, limit: int) -> None:
        if self._state is not None:
            self._state = self._state[token]
        if token == self._eos_id:
            self.finish = "stop"
            return
        self.tokens.append(token)
        if len(self.tokens) >= limit:
            self.finish = "length"

    def _report(self) -> None:
        """Reports the text so far, and ends it at a stop text."""
        if not self.request.stop_texts and self.request.on_text is None:
            return
        text = self._tokenizer.decode(self.tokens)
        found = [place for place in map(text.find, self.request.stop_texts) if place >= 0]
        if found:
            text, self.finish = text[: min(found)], "stop"
            self._text = text.strip()
        if self.request.on_text is not None:
            try:
                self.request.on_text(text.strip())
            except Exception as error:  # the caller's code, which may raise anything
                self._fail("on_text", error)

    def _fail(self, callback: str, error: Exception) -> None:
        logger.exception("a caller's %s failed", callback)
        self.finish, self.error = "failed", str(CallbackError(callback, error))

    def _choose(self, logits: Tensor) -> int:
        """The next token by its logits, (V,), among those that the grammar allows."""
        if self._state is None:
            token = self._pick(logits)
            self._log_p.append(logits.float().log_softmax(-1)[token])
            return token
        if len(self._state) == 1:
            return next(iter(self._state))
        is_on_scale = self._state.keys() == self._scale
        allowed = list(self.request.scale if is_on_scale else self._state)
        logits = logits[allowed]
        log_p = logits.float().log_softmax(-1)
        is_median = is_on_scale and self.request.sampling is None
        chosen = _median(log_p) if is_median else self._pick(logits)
        reach = NEAR_NUMBERS if is_on_scale else 0
        self._log_p.append(log_p[max(0, chosen - reach) : chosen + reach + 1].logsumexp(-1))
        return allowed[chosen]

    def _pick(self, logits: Tensor) -> int:
        sampling = self.request.sampling
        if sampling is None:
            return int(logits.argmax())
        shares, order = torch.softmax(logits.float().cpu() / sampling.temperature, -1).sort(descending=True)
        nucleus = shares.cumsum(-1) - shares < sampling.top_p
        return int(order[torch.multinomial(shares * nucleus, 1, generator=self._generator)])


def _median(log_p: Tensor) -> int:
    """Index of the median of log-probabilities (V,)."""
    return int((log_p.exp().cumsum(-1) < 0.5).sum())


def _common_prefix(content: Tensor, embeds: Tensor) -> int:
    """Number of leading rows that two (S, C) share."""
    count = min(len(content), len(embeds))
    if count == 0:
        return 0
    differs = (content[:count] != embeds[:count]).any(-1)
    return int(differs.int().argmax()) if bool(differs.any()) else count
