"""Guesses of how a track goes on: what they are, where there is none, and that they change no answer."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.backends.small_models import GATED
from vitron_ros.grounding.draft_proposer import DraftProposer
from vitron_ros.model.decoding import Decoder, Request
from vitron_ros.model.grammar import track_grammar
from vitron_ros.model.language import LanguageModel
from vitron_ros.model.tokenizer import train_tokenizer

FRAMES = 4


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(["Frame 1: [1,2,3,4], Frame 2: none."], 400)


@pytest.fixture(scope="module")
def language(tokenizer):
    torch.manual_seed(4)
    language = LanguageModel(replace(GATED.language, vocab_size=tokenizer.size, max_positions=256)).eval()
    for weight in language.parameters():
        if weight.dim() == 2:
            torch.nn.init.normal_(weight, std=0.4)
    return language


def begin(tokenizer, said):
    """The tokens of the beginning of an answer, as they are in a whole one."""
    text = said + "0,0,0,0" * said.endswith("[")
    inside = text.rpartition("[")[2]
    if inside.count(",") < 3:
        text += ",0" * (3 - inside.count(","))
    text += "]" * (not inside.endswith("]"))
    shown = text.count("Frame")
    text += "".join(f", Frame {frame}: none" for frame in range(shown + 1, FRAMES + 1)) + "."
    tokens = tokenizer.encode_answer(text)
    return next(tokens[:end] for end in range(len(tokens)) if tokenizer.decode(tokens[:end]).strip() == said)


@pytest.mark.parametrize(
    ("said", "first", "guess"),
    [
        ("Frame 1: [10,20,30,40], Frame 2: [", None, "10,20,30,40"),
        ("Frame 1: [10,20,30,40", None, "], Frame 2: [10,20,30,40"),
        # What moved goes on moving; the size stays as it was last.
        ("Frame 1: [10,20,30,40], Frame 2: [13,19,33,39], Frame 3: [", None, "16,18,36,38"),
        # An edge that is known already tells of the edge across from it.
        ("Frame 1: [10,20,30,40], Frame 2: [17", None, ",20,37,40"),
        ("Frame 1: [10,20,30,40], Frame 2: [17,25,37", None, ",45"),
        # A gap: on from the last box that there was.
        ("Frame 1: [10,20,30,40], Frame 2: none, Frame 3: [", None, "10,20,30,40"),
        # At the rim numbers end.
        ("Frame 1: [50,0,90,5], Frame 2: [56,0,97,4], Frame 3: [", None, "62,0,100,4"),
        ("", (0.1, 0.2, 0.3, 0.4), "Frame 1: [10,20,30,40"),
        # Nothing is known of a first box, but how it begins.
        ("", None, "Frame 1: ["),
        ("Frame 1: [10,20", None, ","),
    ],
)
def test_guesses(tokenizer, said, first, guess):
    draft_proposer = DraftProposer(track_grammar(tokenizer, FRAMES), tokenizer.number_scale(), first)
    before = begin(tokenizer, said) if said else []
    assert tokenizer.decode([*before, *draft_proposer(before)]).strip() == said + guess


def test_an_absent_target_has_no_guess_but_the_end(tokenizer):
    before = tokenizer.encode_answer("none")
    draft_proposer = DraftProposer(track_grammar(tokenizer, FRAMES), tokenizer.number_scale(), (0.1, 0.2, 0.3, 0.4))
    assert draft_proposer(before) == [tokenizer.eos_id]
    assert draft_proposer([*before, tokenizer.eos_id]) == []


def test_numbers_of_several_tokens_are_not_guessed(tokenizer):
    draft_proposer = DraftProposer(track_grammar(tokenizer, 2), ())
    assert not set(draft_proposer([])) & set(tokenizer.number_scale())


@settings(max_examples=15)
@given(seed=st.integers(0, 1000), frames=st.integers(2, 6))
def test_an_answer_is_the_same_with_guesses_and_takes_no_more_passes(tokenizer, language, seed, frames):
    grammar = track_grammar(tokenizer, frames)
    embeds = torch.randn(7, 32, generator=torch.Generator().manual_seed(seed))
    draft_proposer = DraftProposer(grammar, tokenizer.number_scale(), (0.2, 0.3, 0.4, 0.5))
    plain, guessed = (
        Decoder(language, tokenizer, capacity=200).decode(
            [Request(embeds=embeds, grammar=grammar, propose_draft=propose_draft)]
        )[0]
        for propose_draft in (None, draft_proposer)
    )
    assert (guessed.text, guessed.token_ids, guessed.finish) == (plain.text, plain.token_ids, plain.finish)
    assert guessed.confidence == pytest.approx(plain.confidence, rel=1e-3)
    assert guessed.passes <= plain.passes


def test_what_stands_still_takes_one_pass_a_frame(tokenizer, language, monkeypatch):
    """A model that says the same box for ever: of the first box every number is a pass, of the others none."""
    said = "".join(f", Frame {frame}: [10,20,30,40]" for frame in range(1, 7))[2:] + "."
    wanted = tokenizer.encode_answer(said)
    grammar = track_grammar(tokenizer, 6)
    prompt = 5

    def scripted(cache, row, count, start):
        logits = torch.zeros(1, count, language.config.vocab_size)
        for place in range(count):
            index = start + place - prompt + 1
            logits[0, place, wanted[index] if 0 <= index < len(wanted) else 0] = 9
        return logits

    monkeypatch.setattr(
        language, "prefill", lambda embeds, cache, row, keep: scripted(cache, row, len(embeds), 0)[0, -keep:]
    )
    monkeypatch.setattr(language, "decode", lambda ids, span, cache: scripted(cache, 0, ids.shape[1], cache.lengths[0]))
    decoder = Decoder(language, tokenizer, capacity=200)
    passes = {}
    for name, propose_draft in (("plain", None), ("guessed", DraftProposer(grammar, tokenizer.number_scale()))):
        request = Request(embeds=torch.randn(prompt, 32), grammar=grammar, propose_draft=propose_draft)
        answer = decoder.decode([request])[0]
        assert answer.text == said
        passes[name] = answer.passes
    assert passes["guessed"] <= 4 + 6 < 24 <= passes["plain"]
