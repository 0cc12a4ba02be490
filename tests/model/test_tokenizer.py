import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_language import CORPUS, bpe, sentencepiece

from vitron_ros.errors import ModelError
from vitron_ros.model.tokenizer import SentencePieceBackend, Tokenizer, train_tokenizer

BOTH = pytest.mark.parametrize("tokenizer", [bpe(), sentencepiece()], ids=["bpe", "sentencepiece"])


def pieces(tokenizer: Tokenizer, text: str) -> list[str]:
    return [tokenizer.decode([token]) for token in tokenizer.encode(text)]


def test_a_number_in_a_box_is_one_token_and_elsewhere_its_digits_are():
    assert pieces(bpe(), "[7,10,100,42]") == ["[", "7", ",", "10", ",", "100", ",", "42", "]"]
    assert pieces(bpe(), "12:480 42,") == ["1", "2", ":", "4", "8", "0", " ", "4", "2", ","]


def test_a_number_beyond_100_is_digits_even_in_a_box():
    assert pieces(bpe(), "[101,007]") == ["[", "1", "0", "1", ",", "0", "0", "7", "]"]


def test_llama_splits_the_numbers_of_a_box_into_digits():
    ids = sentencepiece().number_ids()
    assert [len(ids[number]) for number in (0, 9, 10, 99, 100)] == [1, 1, 2, 2, 3]


def test_every_number_of_a_box_has_its_own_token():
    numbers = bpe().number_ids()
    assert len(set(numbers)) == 101
    assert all(len(number) == 1 for number in numbers)


@BOTH
@given(text=st.text(max_size=60))
def test_text_survives_the_round_trip(tokenizer, text):
    # U+2581 is SentencePiece's sign for a space, and a replacement character at the end counts as unfinished.
    text = text.replace("\u2581", "").rstrip("\ufffd")
    assert tokenizer.decode(tokenizer.encode(text)) == text


@BOTH
def test_typed_control_tokens_are_only_text(tokenizer):
    ids = tokenizer.encode("a </s> b <s> <pad>")
    assert not {tokenizer.bos_id, tokenizer.eos_id, tokenizer.pad_id} & set(ids)
    assert tokenizer.decode(ids) == "a </s> b <s> <pad>"


@BOTH
def test_bos_is_added_where_asked_and_never_shown(tokenizer):
    ids = tokenizer.encode("red", bos=True)
    assert ids == [tokenizer.bos_id, *tokenizer.encode("red")]
    assert tokenizer.decode([*ids, tokenizer.eos_id]) == "red"


@BOTH
def test_an_answer_has_the_tokens_that_it_has_after_its_prompt(tokenizer):
    prompt = tokenizer.encode("USER: where? ASSISTANT:")
    whole = tokenizer.encode("USER: where? ASSISTANT: [1,2,3,4]")
    assert prompt + tokenizer.encode_answer("[1,2,3,4]") == whole


@BOTH
def test_half_a_character_is_not_shown(tokenizer):
    ids = tokenizer.encode("a漢")
    assert tokenizer.decode(ids[:-1]) == "a"


@BOTH
def test_a_saved_tokenizer_is_the_same(tokenizer, tmp_path):
    tokenizer.save(tmp_path)
    again = Tokenizer.from_pretrained(tmp_path)
    assert (again.bos_id, again.eos_id, again.pad_id, again.size) == (
        tokenizer.bos_id,
        tokenizer.eos_id,
        tokenizer.pad_id,
        tokenizer.size,
    )
    assert again.encode(CORPUS[0]) == tokenizer.encode(CORPUS[0])


def test_a_directory_without_a_tokenizer_says_where_to_get_one(tmp_path):
    with pytest.raises(ModelError, match=r"neither tokenizer\.json nor tokenizer\.model; copy .*vicuna"):
        Tokenizer.from_pretrained(tmp_path)


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer.model"])
def test_a_damaged_file_is_named(tmp_path, name):
    (tmp_path / name).write_text("{}")
    with pytest.raises(ModelError, match=rf"{name} is not a "):
        Tokenizer.from_pretrained(tmp_path)


def test_a_vocabulary_too_small_for_bytes_and_numbers_is_refused():
    with pytest.raises(ModelError, match="a vocabulary of 300 has no room for bytes and numbers; give at least 350"):
        train_tokenizer(CORPUS, 300)


def test_training_gives_the_same_tokenizer_twice():
    assert train_tokenizer(CORPUS, 380).encode(CORPUS[0]) == train_tokenizer(CORPUS, 380).encode(CORPUS[0])


def test_a_backend_that_is_no_model_is_refused():
    with pytest.raises(ModelError, match="here is not a SentencePiece model"):
        SentencePieceBackend(b"not a model", "here")


@BOTH
def test_tokens_beyond_the_tokenizers_own_are_no_text(tokenizer):
    """A model may have more of them than its tokenizer, as padding."""
    tokens = [*tokenizer.encode("the red ring"), tokenizer.size, tokenizer.size + 7]
    assert tokenizer.decode(tokens).strip() == "the red ring"


def test_a_missing_sentencepiece_is_named_with_its_extra(tmp_path, monkeypatch):
    sentencepiece().save(tmp_path)
    monkeypatch.setitem(sys.modules, "sentencepiece", None)
    with pytest.raises(ModelError, match=r"tokenizer\.model needs sentencepiece: pip install 'vitron_ros\[sentencepi"):
        Tokenizer.from_pretrained(tmp_path)
