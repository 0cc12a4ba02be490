import math
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from tiny_language import CONFIG, bpe, sentencepiece, tiny_language

from vitron_ros.errors import ConfigError, ModelError
from vitron_ros.model.answers import track_text
from vitron_ros.model.decoding import Decoder, Request, Sampling
from vitron_ros.model.grammar import box_grammar, track_grammar
from vitron_ros.model.kv_cache import CacheKind, KVCache, Span


def prompts(*lengths: int, seed: int = 0) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(length, CONFIG.hidden_size, generator=generator) for length in lengths]


def decoder(capacity: int = 160, rows: int = 1, model=None, **options) -> Decoder:
    return Decoder(model or tiny_language(), bpe(), capacity=capacity, rows=rows, **options)


@torch.inference_mode()
def greedy_without_cache(model, embeds: torch.Tensor, count: int) -> list[int]:
    """The oracle: the whole sequence is computed again for every token."""
    tokens: list[int] = []
    while len(tokens) < count:
        whole = torch.cat([embeds, model.embed(torch.tensor(tokens, dtype=torch.long))])
        tokens.append(int(model(whole[None])[0, -1].argmax()))
    return tokens


class Script:
    """Stands in for a trained model: after a prompt of `prompt` tokens it wants to write `answer`, then EOS."""

    config = CONFIG
    device = torch.device("cpu")

    def __init__(self, answer: list[int], prompt: int = 5) -> None:
        self.answer, self.prompt = torch.tensor([*answer, CONFIG.eos_token_id]), prompt

    def new_cache(self, *, rows: int, capacity: int, kind: CacheKind = "full") -> KVCache:
        return KVCache(
            layers=0, rows=rows, kv_heads=1, capacity=capacity, head_dim=1, dtype=torch.float32, device=self.device
        )

    def embed(self, ids: torch.Tensor) -> torch.Tensor:
        return ids[..., None].float().expand(*ids.shape, CONFIG.hidden_size)

    def prefill(self, embeds: torch.Tensor, cache: KVCache, row: int, keep: int = 1) -> torch.Tensor:
        return self.logits(cache.prefill(row, len(embeds)).positions[0, -keep:])

    def decode(self, ids: torch.Tensor, span: Span, cache: KVCache) -> torch.Tensor:
        return self.logits(span.positions)

    def logits(self, positions: torch.Tensor) -> torch.Tensor:
        place = (positions - self.prompt + 1).clamp(0, len(self.answer) - 1)
        return torch.nn.functional.one_hot(self.answer[place], CONFIG.vocab_size).float()


class Odds(Script):
    """Stands in for a model that opens a box and gives each of its numbers the same odds."""

    def __init__(self, odds: dict[int, float], prompt: int = 5) -> None:
        super().__init__(bpe().encode_answer("[0,0,0,0]"), prompt)
        self.odds = odds

    def logits(self, positions: torch.Tensor) -> torch.Tensor:
        logits, scale = super().logits(positions), bpe().number_scale()
        row = torch.full((CONFIG.vocab_size,), -100.0)
        for number, share in self.odds.items():
            row[scale[number]] = math.log(share)
        return torch.where(logits[..., scale[:1]] == 1, row, logits)


TRACK = {1: (0.12, 0.03, 0.5, 1.0), 2: (0.1, 0.1, 0.1, 0.11), 3: None, 4: (0.99, 0.0, 1.0, 0.42)}


def test_cached_decoding_equals_decoding_without_a_cache():
    model = tiny_language()
    for embeds in prompts(1, 7, 40):
        answer = decoder(model=model).decode([Request(embeds=embeds, max_new_tokens=30)])[0]
        assert list(answer.token_ids) == greedy_without_cache(model, embeds, 30)
        assert (answer.passes, answer.finish) == (30, "length")


@pytest.mark.parametrize("grammar", [None, track_grammar(bpe(), 3)], ids=["free", "grammar"])
def test_four_requests_side_by_side_equal_four_alone(grammar):
    requests = [Request(embeds=embeds, max_new_tokens=40, grammar=grammar) for embeds in prompts(31, 4, 18, 60)]
    requests[2] = replace(requests[2], max_new_tokens=9)
    together = decoder(rows=4).decode(requests)
    assert together == [decoder().decode([request])[0] for request in requests]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_decodes_from_its_cache_what_it_decodes_without(dtype):
    model = tiny_language().to(dtype)
    embeds = prompts(20)[0].to(dtype)
    answer = decoder(model=model).decode([Request(embeds=embeds, max_new_tokens=12)])[0]
    assert list(answer.token_ids) == greedy_without_cache(model, embeds, 12)


@pytest.mark.slow
def test_compiled_decoding_gives_the_same_tokens():
    model = tiny_language()
    compiled, eager = decoder(model=model, rows=2, compiled=True), decoder(model=model, rows=2)
    for grammar in (None, track_grammar(bpe(), 2)):
        requests = [Request(embeds=embeds, max_new_tokens=24, grammar=grammar) for embeds in prompts(30, 11)]
        assert compiled.decode(requests) == eager.decode(requests)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@torch.inference_mode()
def test_compiled_half_precision_stays_near_eager(dtype):
    model = tiny_language(replace(CONFIG, num_layers=1)).to(dtype)
    cache = model.new_cache(rows=1, capacity=64)
    model.prefill(prompts(20)[0].to(dtype), cache, 0)
    cache.advance(0, 20)
    span = cache.decode([1], width=4, length=64)
    ids = torch.tensor([[7, 0, 0, 0]])
    eager, compiled = model.decode(ids, span, cache), torch.compile(model.decode, dynamic=False)(ids, span, cache)
    assert compiled.dtype == dtype
    torch.testing.assert_close(compiled[0, 0].float(), eager[0, 0].float(), atol=0.02, rtol=0.02)


def test_a_prefix_in_the_cache_is_not_computed_again_and_changes_nothing():
    model = tiny_language()
    first, more, other = prompts(40, 12, 12)
    used = decoder(model=model)
    answer = used.decode([Request(embeds=first, max_new_tokens=8)])[0]
    with torch.inference_mode():
        said = model.embed(torch.tensor(answer.token_ids))
    # The last token of an answer was never fed, so it is not in the cache.
    for embeds, reused in ((torch.cat([first, said, more]), 47), (torch.cat([first, other]), 40), (first, 39)):
        again = used.decode([Request(embeds=embeds, max_new_tokens=8)])[0]
        assert again.reused_tokens == reused
        assert again == replace(decoder(model=model).decode([Request(embeds=embeds, max_new_tokens=8)])[0],
                                reused_tokens=reused)  # fmt: skip


def test_questions_about_the_same_images_share_them():
    model = tiny_language()
    images, *questions = prompts(50, 6, 9, 4)
    requests = [Request(embeds=torch.cat([images, question]), max_new_tokens=8) for question in questions]
    answers = decoder(model=model, rows=3).decode(requests)
    assert [answer.reused_tokens for answer in answers] == [0, 50, 50]
    assert [answer.token_ids for answer in answers] == [
        decoder(model=model).decode([request])[0].token_ids for request in requests
    ]


@pytest.mark.parametrize("tokenizer", [bpe(), sentencepiece()], ids=["bpe", "sentencepiece"])
@pytest.mark.parametrize("boxes", [TRACK, dict.fromkeys(TRACK)], ids=["boxes", "none"])
def test_the_grammar_changes_nothing_in_a_well_formed_answer_and_saves_passes(tokenizer, boxes):
    script = Script(tokenizer.encode_answer(track_text(boxes)))
    answers = [
        Decoder(script, tokenizer, capacity=200).decode([Request(embeds=torch.zeros(5, 48), grammar=grammar)])[0]
        for grammar in (None, track_grammar(tokenizer, 4))
    ]
    assert answers[0].token_ids == answers[1].token_ids
    assert answers[1].text == track_text(boxes)
    assert answers[0].finish == answers[1].finish == "stop"
    assert answers[1].passes <= 0.7 * answers[0].passes


def test_the_grammar_forces_a_model_that_rambles():
    answer = decoder().decode([Request(embeds=prompts(10)[0], grammar=box_grammar(bpe()))])[0]
    assert answer.finish == "stop"
    assert answer.text == "none" or answer.text[0] + answer.text[-1] == "[]"


def test_a_right_draft_is_confirmed_in_one_pass():
    model, embeds = tiny_language(), prompts(25)[0]
    plain = decoder(model=model).decode([Request(embeds=embeds, max_new_tokens=20)])[0]
    drafted = decoder(model=model).decode([Request(embeds=embeds, max_new_tokens=20, draft=plain.token_ids)])[0]
    assert drafted == replace(plain, passes=1)


@pytest.mark.parametrize("grammar", [None, track_grammar(bpe(), 3)], ids=["free", "grammar"])
@pytest.mark.parametrize("wrong", [(0,), (7,), (3, 9, 10)], ids=str)
def test_a_wrong_draft_changes_nothing(grammar, wrong):
    model, embeds = tiny_language(), prompts(25, seed=5)[0]
    request = Request(embeds=embeds, max_new_tokens=40, grammar=grammar)
    plain = decoder(model=model).decode([request])[0]
    draft = [(token + 1) % 400 if place in wrong else token for place, token in enumerate(plain.token_ids)]
    for rows in ([request], [request, request]):
        drafted = decoder(model=model, rows=2).decode([replace(rows[0], draft=tuple(draft)), *rows[1:]])
        assert [answer.token_ids for answer in drafted] == [plain.token_ids] * len(rows)
    assert drafted[0].passes <= min(plain.passes, len(wrong) + 1)


def test_a_draft_that_goes_on_too_long_ends_where_the_model_does():
    script = Script([5, 6, 7])
    answer = Decoder(script, bpe(), capacity=60).decode([Request(embeds=torch.zeros(5, 48), draft=(5, 6, 7, 8, 9))])[0]
    assert (answer.token_ids, answer.finish, answer.passes) == ((5, 6, 7), "stop", 1)


@torch.inference_mode()
def probabilities_without_cache(model, embeds: torch.Tensor, tokens: tuple[int, ...], grammar=None) -> list[tuple]:
    """The oracle: of every token that was free, the probabilities of all that were allowed, and the token."""
    found = []
    for count, token in enumerate(tokens):
        allowed = list(range(CONFIG.vocab_size)) if grammar is None else list(grammar)
        if grammar is not None:
            grammar = grammar[token]
        if len(allowed) > 1:
            whole = torch.cat([embeds, model.embed(torch.tensor(tokens[:count], dtype=torch.long))])
            shares = model(whole[None])[0, -1][allowed].softmax(-1).tolist()
            found.append((token, dict(zip(allowed, shares, strict=True))))
    return found


def joint(values: list[float]) -> float:
    """The product of up to five probabilities; of more, what five of their geometric mean would give."""
    return math.prod(values) ** (min(len(values), 5) / len(values))


@pytest.mark.parametrize("grammar", [None, track_grammar(bpe(), 3), box_grammar(bpe())], ids=["free", "track", "box"])
def test_confidence_is_that_of_the_tokens_that_were_free(grammar):
    model = tiny_language()
    for seed, embeds in enumerate(prompts(20, 33)):
        request = Request(embeds=embeds, max_new_tokens=60, grammar=grammar)
        answer = decoder(model=model).decode([request])[0]
        tokens = (*answer.token_ids, *[CONFIG.eos_token_id] * (answer.finish == "stop"))
        oracle = probabilities_without_cache(model, embeds, tokens, grammar)
        assert len(oracle) < len(tokens) or grammar is None
        wanted = joint([shares[token] for token, shares in oracle])
        assert answer.confidence == pytest.approx(wanted, rel=1e-3)
        # Whatever passes a draft or a neighbour saves or shares, the value is the same.
        drafts = [replace(request, draft=answer.token_ids), replace(request, draft=answer.token_ids[: 5 + seed])]
        for other in decoder(model=model, rows=2).decode(drafts):
            assert other.confidence == pytest.approx(wanted, rel=1e-3)


def test_on_a_scale_the_median_is_said_and_near_numbers_count_as_confidence():
    model, embeds, grammar = tiny_language(), prompts(20)[0], box_grammar(bpe())
    scale = bpe().number_scale()
    answer = decoder(model=model).decode([Request(embeds=embeds, grammar=grammar, scale=scale)])[0]
    oracle = probabilities_without_cache(model, embeds, (*answer.token_ids, CONFIG.eos_token_id), grammar)
    numbers = [(token, shares) for token, shares in oracle if shares.keys() == set(scale)]
    assert len(numbers) == 4
    wanted = [shares[token] for token, shares in oracle if shares.keys() != set(scale)]
    for token, shares in numbers:
        chosen = scale.index(token)
        total = sum(shares.values())
        below = sum(shares[number] for number in scale[:chosen]) / total
        assert below < 0.5 <= below + shares[token] / total
        wanted.append(sum(shares[number] for number in scale[max(0, chosen - 5) : chosen + 6]))
    assert answer.confidence == pytest.approx(joint(wanted), rel=1e-3)
    assert answer.confidence > 2 * joint([shares[token] for token, shares in oracle])


def test_a_number_between_two_likely_ones_is_off_by_least():
    model, scale = Odds({30: 0.2, 31: 0.2, 33: 0.2, 80: 0.4}), bpe().number_scale()
    request = Request(embeds=prompts(5)[0], grammar=box_grammar(bpe()), scale=scale)
    boxes = [decoder(model=model).decode([replace(request, **options)])[0].text for options in ({}, {"scale": ()})]
    assert boxes == ["[33,33,33,33]", "[80,80,80,80]"]


def test_an_answer_without_any_choice_is_certain():
    answer = decoder().decode([Request(embeds=prompts(5)[0], is_cancelled=lambda: True)])[0]
    assert (answer.finish, answer.confidence) == ("cancelled", 1.0)


def test_sampling_repeats_with_its_seed_and_differs_without():
    def sample(seed: int, **options) -> tuple[int, ...]:
        sampling = Sampling(temperature=2.0, seed=seed, **options)
        request = Request(embeds=prompts(10)[0], max_new_tokens=15, sampling=sampling)
        return decoder().decode([request])[0].token_ids

    assert sample(1) == sample(1)
    assert len({sample(seed) for seed in range(4)}) > 1
    greedy = decoder().decode([Request(embeds=prompts(10)[0], max_new_tokens=15)])[0]
    assert sample(3, top_p=1e-6) == greedy.token_ids


def test_no_pass_starts_after_the_deadline():
    clock = iter(range(0, 1000, 10))
    late = decoder(now_ns=lambda: next(clock))
    answer = late.decode([Request(embeds=prompts(10)[0], deadline_ns=45)])[0]
    assert (answer.finish, answer.passes, len(answer.token_ids)) == ("deadline", 5, 5)
    over = decoder(now_ns=lambda: 45).decode([Request(embeds=prompts(10)[0], deadline_ns=45)])[0]
    assert (over.finish, over.passes, over.text) == ("deadline", 0, "")


def raises(*arguments):
    raise ValueError("user's callback")


@pytest.mark.parametrize("callback", ["is_cancelled", "on_text"])
def test_a_callback_that_raises_ends_its_own_request_alone(callback, caplog):
    one, two = prompts(10, 12)
    requests = [Request(embeds=one, **{callback: raises}), Request(embeds=two, max_new_tokens=9)]
    failed, other = decoder(rows=2).decode(requests)
    assert (failed.finish, failed.error) == ("failed", f"the caller's {callback} raised ValueError: user's callback")
    assert other.token_ids == decoder().decode([requests[1]])[0].token_ids
    assert "Traceback" in caplog.text


def test_a_cancelled_request_stops_and_its_neighbours_go_on():
    stops = iter([False, False, True])
    one, two = prompts(10, 12)
    requests = [Request(embeds=one, is_cancelled=lambda: next(stops)), Request(embeds=two, max_new_tokens=9)]
    used = decoder(rows=2)
    answers = used.decode(requests)
    assert (answers[0].finish, len(answers[0].token_ids)) == ("cancelled", 2)
    assert answers[1].token_ids == decoder().decode([requests[1]])[0].token_ids
    again = used.decode([Request(embeds=one, max_new_tokens=9)])[0]
    assert again.token_ids == decoder().decode([Request(embeds=one, max_new_tokens=9)])[0].token_ids


def test_text_is_told_as_it_grows_and_ends_before_a_stop_text():
    told: list[str] = []
    script = Script(bpe().encode_answer("a red ring. USER: more"))
    request = Request(embeds=torch.zeros(5, 48), stop_texts=("USER:",), on_text=told.append)
    answer = Decoder(script, bpe(), capacity=60).decode([request])[0]
    assert (answer.text, answer.finish) == ("a red ring.", "stop")
    assert told[-1] == "a red ring."
    assert all(later.startswith(earlier[:9]) for earlier, later in pairwise(told))


def test_the_context_ends_an_answer_and_the_cache_stays_usable():
    full = decoder(capacity=20)
    answer = full.decode([Request(embeds=prompts(15)[0])])[0]
    assert (answer.finish, len(answer.token_ids)) == ("length", 5)
    assert full.decode([Request(embeds=prompts(15)[0])])[0].token_ids == answer.token_ids


@pytest.mark.parametrize(
    ("embeds", "message"),
    [
        (torch.zeros(20, 48), r"a prompt of 20 tokens and its answer exceed the context of 20; send fewer frames"),
        (torch.zeros(0, 48), r"a prompt is \(S, 48\) with S above 0, this is \(0, 48\)"),
        (torch.zeros(5, 47), r"this is \(5, 47\)"),
    ],
)
def test_a_prompt_that_cannot_be_answered_is_refused(embeds, message):
    with pytest.raises(ModelError, match=message):
        decoder(capacity=20).decode([Request(embeds=embeds)])


def test_more_requests_than_rows_are_refused():
    with pytest.raises(ModelError, match="2 requests exceed the 1 rows"):
        decoder().decode([Request(embeds=embeds) for embeds in prompts(3, 3)])


def test_a_model_that_gives_nan_says_so():
    model = tiny_language()
    with torch.no_grad():
        model.model.norm.weight[0] = float("nan")
    with pytest.raises(ModelError, match="NaN or infinity; its weights are damaged"):
        decoder(model=model).decode([Request(embeds=prompts(3)[0])])


@pytest.mark.parametrize("options", [{"temperature": 0.0}, {"temperature": -1.0}, {"top_p": 0.0}, {"top_p": 1.5}])
def test_sampling_out_of_range_is_refused(options):
    with pytest.raises(ConfigError, match=next(iter(options))):
        Sampling(**options)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])
def test_a_gpu_gives_the_same_tokens(compiled):
    grammar = track_grammar(bpe(), 2)
    requests = [Request(embeds=embeds, max_new_tokens=24, grammar=grammar) for embeds in prompts(30, 11)]
    on_gpu = [replace(request, embeds=request.embeds.cuda()) for request in requests]
    answers = decoder(model=tiny_language().cuda(), rows=2, compiled=compiled).decode(on_gpu)
    assert answers == decoder(rows=2).decode(requests)
