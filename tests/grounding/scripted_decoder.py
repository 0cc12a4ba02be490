"""A decoder that says what the test wants, whatever the model is."""

from collections.abc import Sequence

from vitron_ros.model.decoding import Decoded, Decoder, FinishReason, Request

Line = str | tuple[str, FinishReason] | Exception


class ScriptedDecoder(Decoder):
    """One line after another, then the last for ever. `asked` holds every request, `batches` their number by call."""

    def __init__(self, *lines: Line) -> None:
        self.lines = list(lines)
        self.asked: list[Request] = []
        self.batches: list[int] = []

    def check(self, request: Request) -> None:
        pass

    def decode(self, requests: Sequence[Request]) -> list[Decoded]:
        self.batches.append(len(requests))
        return [self._answer(request) for request in requests]

    def _answer(self, request: Request) -> Decoded:
        self.asked.append(request)
        line = self.lines.pop(0) if len(self.lines) > 1 else self.lines[0]
        if isinstance(line, Exception):
            raise line
        text, finish = line if isinstance(line, tuple) else (line, "stop")
        if request.on_text is not None:
            for end in range(1, len(text) + 1):
                request.on_text(text[:end])
        return Decoded(
            text=text, token_ids=(), finish=finish, passes=1, prompt_tokens=1, reused_tokens=0, confidence=0.5
        )
