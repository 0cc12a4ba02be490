"""One question to an OpenAI-compatible server: a POST that is tried again where trying cost nothing."""

import asyncio
import itertools
from collections.abc import Callable, Mapping

import httpx2

from vitron_ros.errors import ModelError
from vitron_ros.grounding.families.chat_protocol import (
    IS_API,
    Completion,
    ServedModel,
    StreamedCompletion,
    read_completion,
    read_error,
    read_models,
    retry_after_s,
)

KEY_VARIABLE = "VITRON_API_KEY"
CONNECT_S = 5.0
# Servers of uvicorn close a connection that was idle for 5 s; one that is used at that moment loses its question.
KEEP_ALIVE_S = 2.0
BACK_OFF_S = (0.1, 0.2, 0.4, 0.5)  # between tries to connect; the last one again and again
MOST_BYTES = 4 << 20  # of one reply; a thousand tokens with their log-probabilities are a tenth of it

Body = Mapping[str, object]


class BadRequestError(ModelError):
    """The server does not take the body as it is. Nothing was generated."""


class _RetryError(ModelError):
    """The question cost the server nothing, and may be asked again after `wait_s`; None: the client chooses."""

    def __init__(self, text: str, wait_s: float | None = None) -> None:
        super().__init__(text)
        self.wait_s = wait_s


class ChatHttp:
    """The connections to one server. Its methods run in one event loop, side by side, `max_requests` at most.

    Args:
        url: of the API, such as http://host:8000/v1.
        key: sent with each question, and never said; empty: none.
    """

    def __init__(self, url: str, *, key: str, max_requests: int) -> None:
        self._url, self._key = url, key
        self._places = asyncio.Semaphore(max_requests)
        headers = {"Accept-Encoding": "identity"} | ({"Authorization": f"Bearer {key}"} if key else {})
        self._client = httpx2.AsyncClient(
            base_url=url,
            headers=headers,
            timeout=httpx2.Timeout(None, connect=CONNECT_S),
            limits=httpx2.Limits(
                max_connections=max_requests, max_keepalive_connections=max_requests, keepalive_expiry=KEEP_ALIVE_S
            ),
            trust_env=False,
        )

    async def models(self) -> list[ServedModel]:
        """What the server serves.

        Raises:
            ModelError: it cannot be reached, refuses, or answers something else.
        """
        data = bytearray()
        await self._exchange("GET", "models", None, data.extend)
        return read_models(bytes(data))

    async def complete(
        self, body: Body, *, left_s: Callable[[], float], on_text: Callable[[str], None] | None = None
    ) -> Completion:
        """The answer to a question.

        Args:
            body: of the request.
            left_s: how long the question may still wait to be tried again; asked each time.
            on_text: given the text so far as it grows; with it the answer is streamed.

        Raises:
            BadRequestError: the server does not take such a body.
            ModelError: it cannot be reached, is busy, refuses, or answers something else.
        """
        for tries in itertools.count():
            try:
                async with self._places:
                    return await self._ask(body, on_text)
            except _RetryError as error:
                back_off_s = BACK_OFF_S[min(tries, len(BACK_OFF_S) - 1)]
                wait_s = back_off_s if error.wait_s is None else max(back_off_s, error.wait_s)
                if wait_s >= left_s():
                    raise ModelError(str(error)) from error
                await asyncio.sleep(wait_s)
        raise AssertionError("the tries have no end")

    async def close(self) -> None:
        await self._client.aclose()

    async def _ask(self, body: Body, on_text: Callable[[str], None] | None) -> Completion:
        if on_text is None:
            data = bytearray()
            await self._exchange("POST", "chat/completions", body, data.extend)
            return read_completion(bytes(data))
        streamed = StreamedCompletion(on_text)
        await self._exchange("POST", "chat/completions", {**body, "stream": True}, streamed.feed)
        return streamed.finish()

    async def _exchange(self, method: str, path: str, body: Body | None, take: Callable[[bytes], object]) -> None:
        """Send a request, and hand on the bytes of the reply as they come."""
        try:
            async with self._client.stream(method, path, json=body) as response:
                if response.status_code != httpx2.codes.OK:
                    data = bytearray()
                    await _read(response, data.extend)
                    raise self._refusal(response, read_error(bytes(data)))
                await _read(response, take)
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            raise _RetryError(
                f"cannot connect to {self._url}: {_reason(error)}; is the server running there?"
            ) from error
        except httpx2.HTTPError as error:
            raise ModelError(
                f"the connection to {self._url} broke before the answer was there: {_reason(error)}"
            ) from error

    def _refusal(self, response: httpx2.Response, said: str) -> ModelError:
        """The error that a reply with another status than 200 is."""
        code = response.status_code
        name = f"{code} {httpx2.codes.get_reason_phrase(code)}".strip()
        words = f": {said.replace(self._key, '***') if self._key else said}" if said else ""
        if code in (429, 503):
            wait_s = retry_after_s(response.headers.get("Retry-After"))
            text = f"{self._url} is too busy ({name}){words}"
            return ModelError(text) if wait_s is None else _RetryError(text, wait_s)
        if code in (401, 403):
            what = "refuses the key in" if self._key else "asks for a key; set"
            return ModelError(f"{self._url} {what} {KEY_VARIABLE} ({name}){words}")
        if response.is_redirect:
            return ModelError(f"{self._url} sends on to another address ({name}); give that one")
        if code == httpx2.codes.NOT_FOUND:
            return ModelError(f"{self._url} does not answer ({name}){words}; {IS_API}")
        kind = BadRequestError if code in (400, 422) else ModelError
        return kind(f"{self._url} does not answer ({name}){words}")


async def _read(response: httpx2.Response, take: Callable[[bytes], object]) -> None:
    size = 0
    async for data in response.aiter_bytes():
        size += len(data)
        if size > MOST_BYTES:
            raise ModelError(
                f"the server's reply is longer than {MOST_BYTES >> 20} MiB; is this an API of chat completions?"
            )
        take(data)


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
