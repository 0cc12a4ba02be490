"""Several models as one: each task goes to the first of them that has it.

A detector is quick and finds several things, but seldom tells which of them a sentence means. So where one model finds
and another answers, the answerer chooses among the finder's candidates; see `candidate_choice`.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from vitron_ros.errors import ConfigError
from vitron_ros.grounding.families.candidate_choice import candidates_of, choice_question, chosen
from vitron_ros.grounding.referring_expressions import parse_expressions
from vitron_ros.grounding.request import LanguageVision, ModelDescription, ModelReply, ModelRequest, Task

SEPARATOR = re.compile(r"\s+\+\s+")


def part_names(name: str) -> tuple[str, ...]:
    """The models of a name such as "iSEE-Laboratory/llmdet_tiny + http://host:8000/v1", each once."""
    return tuple(dict.fromkeys(SEPARATOR.split(name.strip())))


class Composite:
    """Several models as one `LanguageVision`.

    Args:
        models: by name, in the order in which tasks are given to them.

    Raises:
        ConfigError: one of them would have nothing to do.
    """

    min_score: float | None = None  # each reply carries that of the model that gave it

    def __init__(self, models: Mapping[str, LanguageVision]) -> None:
        self._models = list(models.values())
        self._by_task: dict[Task, LanguageVision] = {}
        for name, model in models.items():
            tasks = model.tasks - self._by_task.keys()
            if not tasks:
                raise ConfigError(
                    f"{name} has nothing to do, since the models before it can do the same; name it first"
                )
            self._by_task |= dict.fromkeys(tasks, model)
        self.tasks = frozenset(self._by_task)
        self.max_frames = min(model.max_frames for model in self._models)
        self.max_requests = min(model.max_requests for model in self._models)
        self._finder, self._answerer = self._by_task.get(Task.FIND), self._by_task.get(Task.ASK)
        self.uses_newest_frame_only = self._finder is not None and self._finder.uses_newest_frame_only

    def describe(self) -> ModelDescription:
        parts = [model.describe() for model in self._models]
        return ModelDescription(
            name=" + ".join(part.name for part in parts),
            family="composite",
            tasks=self.tasks,
            parameters=sum(part.parameters for part in parts),
            memory_bytes=sum(part.memory_bytes for part in parts),
            device=_joined(part.device for part in parts),
            licence=_joined(part.licence for part in parts),
            source=_joined(part.source for part in parts),
        )

    def reply(self, requests: Sequence[ModelRequest]) -> list[ModelReply]:
        """Answers in the order of the requests; see `LanguageVision`. What is to be chosen from is found first."""
        replies = self._replies({place: one for place, one in enumerate(requests) if one.task is Task.FIND})
        questions = {
            place: choice_question(requests[place], found)
            for place, found in replies.items()
            if self._needs_choice(requests[place], found)
        }
        others = {place: one for place, one in enumerate(requests) if place not in replies}
        for place, answer in self._replies(others | questions).items():
            if place in questions:
                assert self._answerer is not None
                name = self._answerer.describe().name
                replies[place] = chosen(requests[place], replies[place], answer, name)
            else:
                replies[place] = answer
        return [replies[place] for place in range(len(requests))]

    def _replies(self, requests: Mapping[int, ModelRequest]) -> dict[int, ModelReply]:
        """Replies by the places of their requests, each from the model of its task."""
        replies: dict[int, ModelReply] = {}
        for model in self._models:
            own = {place: one for place, one in requests.items() if self._by_task[one.task] is model}
            answers = model.reply(list(own.values())) if own else []
            for place, answer in zip(own, answers, strict=True):
                replies[place] = replace(answer, min_score=model.min_score)
        return replies

    def _needs_choice(self, request: ModelRequest, found: ModelReply) -> bool:
        """Whether one of the candidates is meant, and another model than the finder can say which."""
        is_many = request.wants_candidates or bool(parse_expressions(request.text).items[0].quantifier)
        if self._answerer in (None, self._finder) or is_many:
            return False
        return len(candidates_of(found)) > (1 if Task.VERIFY in self.tasks else 0)


def _joined(words: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(filter(None, words)))
