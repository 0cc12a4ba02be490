"""Text to token ids and back, over a `tokenizer.json` (tokenizers) or a `tokenizer.model` (SentencePiece, LLaMA's).

Text never becomes a control token: a user who types `</s>` ends nothing.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from vitron_ros.errors import ModelError
from vitron_ros.model.files import SHOWN, is_file, read_text

JSON_NAME, SENTENCEPIECE_NAME = "tokenizer.json", "tokenizer.model"
PAD, BOS, EOS = "<pad>", "<s>", "</s>"
UNFINISHED = "\ufffd"  # what a decoder writes for bytes that are not yet a whole character

# One rule a piece: a whole number of 0..100 inside box brackets; any other digit alone; a word with its space; a sign
# with its space; white space. BPE never merges across pieces, so a box is four numbers and its signs, whatever stands
# around it.
PIECES = r"(?<=[\[,])(?:100|[1-9]?[0-9])(?=[,\]])|[0-9]| ?\p{L}+| ?[^\s\p{L}0-9]|\s"
BOX_NUMBERS = range(101)


class Backend(Protocol):
    """One tokenizer library."""

    def encode(self, text: str) -> list[int]: ...

    def decode(self, token_ids: Sequence[int]) -> str: ...

    def size(self) -> int: ...

    def ids(self) -> tuple[int, int, int]:
        """Of BOS, EOS and padding."""

    def save(self, directory: Path) -> None: ...


class Tokenizer:
    """A tokenizer of a checkpoint.

    Attributes:
        bos_id, eos_id, pad_id: ids of the control tokens.
        size: number of token ids, one more than the largest.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.bos_id, self.eos_id, self.pad_id = backend.ids()
        self.size = backend.size()
        # SentencePiece puts a space before each text it is given; a byte-level BPE leaves that to the caller.
        self._answer_space = "" if backend.encode("a a") == 2 * backend.encode("a") else " "

    @classmethod
    def from_pretrained(cls, directory: Path) -> "Tokenizer":
        """The tokenizer of a checkpoint directory; a `tokenizer.json` goes before a `tokenizer.model`.

        Raises:
            ModelError: there is neither, it is damaged, or it lacks a control token.
        """
        for name, backend in ((JSON_NAME, JsonBackend), (SENTENCEPIECE_NAME, SentencePieceBackend)):
            path = directory / name
            if is_file(path):
                loaded = backend.from_file(path)
                try:
                    return cls(loaded)
                except ModelError:
                    raise
                except Exception as error:  # a tokenizer without a token for what it does not know cannot encode
                    raise ModelError(f"{path} cannot encode text: {str(error)[:SHOWN]}; fetch it again") from error
        raise ModelError(
            f"{directory} has neither {JSON_NAME} nor {SENTENCEPIECE_NAME}; copy the tokenizer of the language model "
            "that the checkpoint was trained from (lmsys/vicuna-7b-v1.5 for the published ones) into it"
        )

    def save(self, directory: Path) -> None:
        """Writes the tokenizer's file into a checkpoint directory."""
        self._backend.save(directory)

    def encode(self, text: str, *, bos: bool = False) -> list[int]:
        """Token ids of one run of text, after BOS where asked."""
        return [self.bos_id] * bos + self._backend.encode(text)

    def encode_answer(self, text: str) -> list[int]:
        """Token ids of an answer where it follows its prompt, without EOS."""
        return self._backend.encode(self._answer_space + text)

    def decode(self, token_ids: Sequence[int]) -> str:
        """Text of token ids. Bytes at the end that are not yet a whole character are left out."""
        return self._backend.decode(token_ids).rstrip(UNFINISHED)

    def number_ids(self) -> tuple[tuple[int, ...], ...]:
        """Tokens of each number of 0..100 where it stands in a box.

        Raises:
            ModelError: this tokenizer merges numbers with the signs around them.
        """
        head, zero = self.encode_answer("["), self.encode_answer("[0,0,0,0]")
        tail = zero[len(head) + 1 :]
        numbers = []
        for number in BOX_NUMBERS:
            whole = self.encode_answer(f"[{number},0,0,0]")
            middle = whole[len(head) : len(whole) - len(tail)]
            if not middle or head + middle + tail != whole:
                raise ModelError(
                    f"this tokenizer merges the {number} of a box with the signs beside it; "
                    "decode its boxes without a grammar"
                )
            numbers.append(tuple(middle))
        return tuple(numbers)

    def number_scale(self) -> tuple[int, ...]:
        """The token of each number of 0..100 of a box, in order; empty where some take several.

        Raises:
            ModelError: as of `number_ids`.
        """
        numbers = self.number_ids()
        return tuple(ids[0] for ids in numbers) if all(len(ids) == 1 for ids in numbers) else ()


class JsonBackend:
    """The `tokenizers` library."""

    def __init__(self, text: str, where: str) -> None:
        from tokenizers import Tokenizer as Library

        try:
            self._library = Library.from_str(text)
        except Exception as error:  # the library raises plain Exception
            raise ModelError(f"{where} is not a tokenizer: {str(error)[:SHOWN]}; fetch it again") from error
        self._library.encode_special_tokens = True
        self._library.no_padding()
        self._library.no_truncation()
        self._where = where

    @classmethod
    def from_file(cls, path: Path) -> "JsonBackend":
        return cls(read_text(path), str(path))

    def encode(self, text: str) -> list[int]:
        return list(self._library.encode(text, add_special_tokens=False).ids)

    def decode(self, token_ids: Sequence[int]) -> str:
        return str(self._library.decode(list(token_ids), skip_special_tokens=True))

    def size(self) -> int:
        return 1 + max(self._library.get_vocab(with_added_tokens=True).values(), default=-1)

    def ids(self) -> tuple[int, int, int]:
        bos, eos, pad = (self._library.token_to_id(token) for token in (BOS, EOS, PAD))
        if bos is None or eos is None:
            raise ModelError(f"{self._where} lacks the tokens {BOS} and {EOS}; it is not a tokenizer of a LLaMA model")
        return bos, eos, eos if pad is None else pad

    def save(self, directory: Path) -> None:
        # Not by the library's `save`, which has no class of its own for a full disk.
        (directory / JSON_NAME).write_text(self._library.to_str(pretty=True), encoding="utf-8")


class SentencePieceBackend:
    """The `sentencepiece` library: the slow LLaMA tokenizer, as the published code uses it."""

    def __init__(self, model: bytes, where: str) -> None:
        try:
            from sentencepiece import SentencePieceProcessor
        except ImportError as error:
            raise ModelError(f"{where} needs sentencepiece: pip install 'vitron_ros[sentencepiece]'") from error
        try:
            self._library = SentencePieceProcessor(model_proto=model)
        except RuntimeError as error:
            raise ModelError(f"{where} is not a SentencePiece model; fetch it again") from error
        self._where = where

    @classmethod
    def from_file(cls, path: Path) -> "SentencePieceBackend":
        try:
            return cls(path.read_bytes(), str(path))
        except OSError as error:
            raise ModelError(f"{path} cannot be read: {error.strerror}") from error

    def encode(self, text: str) -> list[int]:
        return list(self._library.encode(text))

    def decode(self, token_ids: Sequence[int]) -> str:
        size = self.size()  # a model may have more tokens than its tokenizer, as padding
        known = [int(token) for token in token_ids if int(token) < size]
        return str(self._library.decode([token for token in known if not self._library.is_control(token)]))

    def size(self) -> int:
        return int(self._library.get_piece_size())

    def ids(self) -> tuple[int, int, int]:
        bos, eos, pad = self._library.bos_id(), self._library.eos_id(), self._library.pad_id()
        if bos < 0 or eos < 0:
            raise ModelError(f"{self._where} lacks the tokens {BOS} and {EOS}; it is not a tokenizer of a LLaMA model")
        return bos, eos, self._library.unk_id() if pad < 0 else pad

    def save(self, directory: Path) -> None:
        (directory / SENTENCEPIECE_NAME).write_bytes(self._library.serialized_model_proto())


def train_tokenizer(corpus: Iterable[str], vocab_size: int) -> Tokenizer:
    """A byte-level BPE of at most `vocab_size` tokens, with each number of a box (0..100) as one token.

    Raises:
        ModelError: the size has no room for the bytes and the numbers.
    """
    from tokenizers import Regex, decoders, models, pre_tokenizers, trainers
    from tokenizers import Tokenizer as Library

    alphabet = pre_tokenizers.ByteLevel.alphabet()
    pairs = [(str(number)[:-1], str(number)[-1]) for number in BOX_NUMBERS if number > 9]
    least = 3 + len(alphabet) + len(pairs)
    if vocab_size < least:
        raise ModelError(f"a vocabulary of {vocab_size} has no room for bytes and numbers; give at least {least}")
    library = Library(models.BPE())
    library.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    library.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - len(pairs),
        special_tokens=[PAD, BOS, EOS],
        initial_alphabet=sorted(alphabet),
        show_progress=False,
    )
    library.train_from_iterator(corpus, trainer)
    state = json.loads(library.to_str())
    vocab, merges = state["model"]["vocab"], state["model"]["merges"]
    for pair in pairs:
        if "".join(pair) not in vocab:
            vocab["".join(pair)] = len(vocab)
            merges.append(list(pair))
    return Tokenizer(JsonBackend(json.dumps(state), "the trained tokenizer"))
