"""A vision-language model behind an OpenAI-compatible server: vLLM, SGLang, llama.cpp and others, for many robots."""

import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeGuard

from vitron_ros.config import ModelRun
from vitron_ros.errors import ConfigError, ModelError, RegionError
from vitron_ros.grounding.families import chat
from vitron_ros.grounding.families.box_text import BoxDialect, Size, read_boxes
from vitron_ros.grounding.families.certainty import choice_score, presence, score
from vitron_ros.grounding.families.chat_client import Answer, ChatClient, ChatRequest, CutOff
from vitron_ros.grounding.families.chat_http import KEY_VARIABLE
from vitron_ros.grounding.families.chat_protocol import ServedModel
from vitron_ros.grounding.families.sent_image import SentImage, sent_image, sent_size
from vitron_ros.grounding.families.server_address import chosen, dialect_of, read_address
from vitron_ros.grounding.families.server_features import ServerFeatures
from vitron_ros.grounding.replies import not_to_be_asked, unanswered
from vitron_ros.grounding.request import ModelDescription, ModelReply, ModelRequest, ReplyStatus, Task, lack_of

logger = logging.getLogger(__name__)

MAX_FRAMES = 8
MAX_REQUESTS = 16
CHOICE_TOKENS, BOX_TOKENS, ANSWER_TOKENS = 4, 400, 300  # of an answer at most
WORDED = (Task.ASK, Task.DESCRIBE)  # answered in free words
LIKELY_TOKENS = 10  # beside each that was said
ENDS = {"cancelled": ReplyStatus.CANCELLED, "deadline": ReplyStatus.DEADLINE}
_BOX = r'\{"bbox_2d": \[\d{1,4}, \d{1,4}, \d{1,4}, \d{1,4}\], "label": "[^"\\\n]{1,60}"\}'
BOXES_FORM = rf"\[\]|\[{_BOX}(, {_BOX}){{0,7}}\]"
"""A JSON list of eight boxes at most, as a regular expression."""


@dataclass(frozen=True, slots=True)
class _ChatQuestion:
    """What the server is asked for a request: turns of texts and images.

    Attributes:
        form: of the answer, for servers that bind it to one; empty: words.
    """

    request: ModelRequest
    turns: tuple[tuple[str, tuple[str | SentImage, ...]], ...]
    max_tokens: int = ANSWER_TOKENS
    form: Mapping[str, object] = field(default_factory=dict)

    def images(self) -> list[SentImage]:
        return [part for _, content in self.turns for part in content if isinstance(part, SentImage)]


class ModelServer:
    """A model behind a server as the runtime's `LanguageVision`. Its prompts are those of the model's family.

    Args:
        client: of the server at `url`.
        model: that is asked.
        dialect: how it writes boxes.
        now_ns: the clock that deadlines are on.
    """

    tasks = frozenset({Task.FIND, Task.ASK, Task.DESCRIBE, Task.VERIFY})
    max_frames = MAX_FRAMES
    max_requests = MAX_REQUESTS
    uses_newest_frame_only = True
    min_score: float | None = None

    def __init__(
        self,
        client: ChatClient,
        model: ServedModel,
        dialect: BoxDialect,
        *,
        url: str,
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.name = model.name
        self._client, self._model, self._dialect, self._url, self._now_ns = client, model, dialect, url, now_ns
        self._features = ServerFeatures(url, caches_images=model.engine == "vllm")

    @classmethod
    def load(cls, source: str | Path, run: ModelRun, *, now_ns: Callable[[], int] = time.monotonic_ns) -> "ModelServer":
        """The model of a server, by an address as of `read_address`. The key comes from the environment.

        Raises:
            ConfigError: the run says how a model on this machine is kept.
            ModelError: the address cannot be read, the server does not answer or does not have the model, or how the
                model writes boxes is not known.
        """
        address = read_address(str(source))
        if run != ModelRun():
            raise ConfigError(
                "device, backend, weights and cache are those of a model on this machine; leave them as they are for "
                f"{address.url}, whose own command line says them"
            )
        key = server_key()
        if key and not address.is_private:
            logger.warning(
                "the key goes to %s without encryption; use https outside a network of your own", address.url
            )
        client = ChatClient(address.url, key=key, max_requests=MAX_REQUESTS, now_ns=now_ns)
        model = chosen(address, client.models())
        dialect = dialect_of(address, model)
        logger.info("%s serves %s, which writes boxes as %s does", address.url, model.name, dialect.name)
        return cls(client, model, dialect, url=address.url, now_ns=now_ns)

    def describe(self) -> ModelDescription:
        return ModelDescription(
            name=self.name,
            family="server",
            tasks=self.tasks,
            parameters=0,
            memory_bytes=0,
            device=self._url,
            source=self._model.root,
        )

    def close(self) -> None:
        """End the connections."""
        self._client.close()

    def reply(self, requests: Sequence[ModelRequest]) -> list[ModelReply]:
        """Answers side by side, in the order of the requests; see `LanguageVision`.

        What a FIND looks for must be there before it is asked where it is, as `chat` says.
        """
        begin = time.perf_counter()
        begun = [self._begun(request) for request in requests]
        first = [one for one in begun if isinstance(one, _ChatQuestion)]
        answers = iter([self._read(*pair) for pair in zip(first, self._ask(first), strict=True)])
        outcomes = [next(answers) if isinstance(one, _ChatQuestion) else one for one in begun]
        pairs = zip(begun, outcomes, strict=True)
        second = [
            self._where(one) for one, there in pairs if isinstance(one, _ChatQuestion) and isinstance(there, float)
        ]
        places = iter(zip(second, self._ask(second), strict=True))
        seconds = time.perf_counter() - begin
        replies = [self._found(*next(places), one) if isinstance(one, float) else one for one in outcomes]
        return [replace(reply, seconds=seconds) for reply in replies]

    def _begun(self, request: ModelRequest) -> _ChatQuestion | ModelReply:
        """The first question for a request, or its reply if there is none."""
        lack = lack_of(request.task, self.tasks)
        if lack:
            return unanswered(request, ReplyStatus.REFUSED, lack)
        refusal = not_to_be_asked(request, self.name, self.max_frames, self._now_ns)
        if refusal is not None:
            return refusal
        try:
            if request.task is Task.ASK:
                messages = chat.ask_messages(request, self._dialect, self._sent_size(request))
                return self._question(request, messages, **_one_of(request.choices))
            if request.task is Task.DESCRIBE:
                return self._question(request, chat.describe_messages(request))
            is_find = request.task is Task.FIND
            messages = chat.presence_messages(request) if is_find else chat.verify_messages(request)
            return self._question(request, messages, **_one_of(("yes", "no")))
        except RegionError as error:
            return unanswered(request, ReplyStatus.FAILED, str(error))

    def _where(self, presence: _ChatQuestion) -> _ChatQuestion:
        """Where that is whose presence was asked for."""
        request, (image,) = presence.request, presence.images()
        form = {"regex": BOXES_FORM} if self._dialect.is_listed else {}
        messages = chat.find_messages(request, self._dialect)
        return self._question(request, messages, image, max_tokens=BOX_TOKENS, form=form)

    def _question(
        self, request: ModelRequest, messages: Sequence[chat.Message], image: SentImage | None = None, **terms: Any
    ) -> _ChatQuestion:
        """
        Args:
            image: the only one of the messages, where it is encoded already.
        """

        def sent(part: chat.Content) -> str | SentImage:
            return part if isinstance(part, str) else image or sent_image(part, self._dialect)

        return _ChatQuestion(request, tuple((one.role, tuple(map(sent, one.content))) for one in messages), **terms)

    def _ask(self, questions: Sequence[_ChatQuestion]) -> list[Answer]:
        """Answers; asked again, without what the server turned out not to know, where it refused for that."""
        chats = [self._chat(question) for question in questions]
        answers = self._client.ask(chats)
        while True:
            refusals = {n: answer for n, answer in enumerate(answers) if _is_bad_request(answer)}
            for n, refusal in refusals.items():
                self._features.learn(refusal.message, questions[n].images())
            again = {n: other for n in refusals if (other := self._chat(questions[n])).body != chats[n].body}
            if not again:
                break
            for n, answer in zip(again, self._client.ask(list(again.values())), strict=True):
                chats[n], answers[n] = again[n], answer
        for question, answer in zip(questions, answers, strict=True):
            self._features.remember(question.images(), is_answered=not isinstance(answer, CutOff))
        return answers

    def _chat(self, question: _ChatQuestion) -> ChatRequest:
        request, features = question.request, self._features
        optional: dict[str, object] = {
            "logprobs": True,
            "top_logprobs": LIKELY_TOKENS,
            "chat_template_kwargs": {"enable_thinking": False},
        }
        optional |= {"structured_outputs": question.form} if question.form else {}
        messages = [
            {
                "role": role,
                "content": [_text(part) if isinstance(part, str) else features.image(part) for part in parts],
            }
            for role, parts in question.turns
        ]
        body = {
            "model": self.name,
            "messages": messages,
            "max_tokens": question.max_tokens,
            "temperature": 0,
            **{name: value for name, value in optional.items() if features.takes(name)},
        }
        say = request.on_text if request.task in WORDED else None
        return ChatRequest(
            body=body,
            deadline_ns=request.deadline_ns,
            is_cancelled=request.is_cancelled,
            on_text=None if say is None else lambda text: say(chat.visible_text(text)),
        )

    def _read(self, question: _ChatQuestion, answer: Answer) -> ModelReply | float:
        """The reply, or the probability that what is to be found is there."""
        request = question.request
        if isinstance(answer, CutOff):
            return self._cut_off(request, answer)
        if not answer.tokens:
            self._features.lacks("logprobs")
        if request.task in WORDED:
            seen = self._sent_size(request)
            sure = choice_score(answer, request.choices) if request.choices else score(answer)
            return chat.answered(request, self.name, answer.text, sure, self._dialect, seen)
        probability = presence(replace(answer, text=chat.visible_text(answer.text)))
        if probability is None:
            message = f"{self.name} says neither yes nor no: {answer.text[:200]!r}"
            return unanswered(request, ReplyStatus.UNREADABLE, message)
        if request.task is Task.VERIFY:
            return chat.verified(request, self.name, probability)
        return chat.absent(request, self.name, probability) if probability < 0.5 else probability

    def _found(self, question: _ChatQuestion, answer: Answer, there: float) -> ModelReply:
        request, newest = question.request, question.request.frames[-1]
        if isinstance(answer, CutOff):
            return self._cut_off(request, answer)
        text = chat.visible_text(answer.text)
        reading = read_boxes(text, self._dialect, (newest.width, newest.height), self._sent_size(request))
        return chat.found(request, self.name, text, reading, there)

    def _cut_off(self, request: ModelRequest, answer: CutOff) -> ModelReply:
        usual = {"cancelled": "the request was cancelled", "deadline": f"{self.name} did not answer in time"}
        status = ENDS.get(answer.kind, ReplyStatus.FAILED)
        return unanswered(request, status, answer.message or usual[answer.kind])

    def _sent_size(self, request: ModelRequest) -> Size:
        newest = request.frames[-1]
        return sent_size((newest.width, newest.height), self._dialect)


def _one_of(choices: Sequence[str]) -> dict[str, Any]:
    """How an answer is bound to choices; to nothing where there are none."""
    return {"max_tokens": CHOICE_TOKENS, "form": {"choice": list(choices)}} if choices else {}


def _text(text: str) -> dict[str, object]:
    return {"type": "text", "text": text}


def _is_bad_request(answer: Answer) -> TypeGuard[CutOff]:
    return isinstance(answer, CutOff) and answer.kind == "bad request"


def server_key() -> str:
    """
    Raises:
        ModelError: it cannot be sent.
    """
    key = os.environ.get(KEY_VARIABLE, "").strip()
    if not (key.isascii() and key.isprintable()):
        raise ModelError(f"the key in {KEY_VARIABLE} has characters that cannot be sent")
    return key
