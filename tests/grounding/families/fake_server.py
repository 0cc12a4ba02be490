"""A server of chat completions on loopback: answers what a test scripts, or has one of the faults that servers have."""

import asyncio
import base64
import contextlib
import json
import math
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import cv2
import numpy as np

MODEL = {"id": "Qwen/Qwen3-VL-4B-Instruct", "root": "Qwen/Qwen3-VL-4B-Instruct", "owned_by": "vllm"}
Fault = Callable[["Exchange"], Awaitable[None]]


@dataclass
class Exchange:
    """One request, and the connection it came by."""

    headers: dict[str, str]
    body: dict
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    recalled: int = 0  # images that came by their uuid alone
    is_gone: threading.Event = field(default_factory=threading.Event)  # the client left before its answer was there

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def reply(self, status: str, body: bytes | dict, **headers: str) -> None:
        data = json.dumps(body).encode() if isinstance(body, dict) else body
        headers = {"Content-Length": str(len(data)), **{name.replace("_", "-"): headers[name] for name in headers}}
        lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        await self.send("\r\n".join(lines).encode() + data)

    async def stays(self, seconds: float) -> bool:
        """Wait; False if the client has left meanwhile."""
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self.reader.read(1), seconds)
            self.is_gone.set()
        return not self.is_gone.is_set()


def status(line: str, body: bytes | dict = b"", **headers: str) -> Fault:
    return lambda exchange: exchange.reply(line, body, **headers)


async def silence(exchange: Exchange) -> None:
    await exchange.stays(60)


async def closed(exchange: Exchange) -> None:
    exchange.writer.close()


async def half(exchange: Exchange) -> None:
    await exchange.send(b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"choices": [{"message"')
    exchange.writer.close()


async def half_stream(exchange: Exchange) -> None:
    await exchange.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + event({"content": "the mug"}))
    exchange.writer.close()


async def trickle(exchange: Exchange) -> None:
    await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while await exchange.stays(0.01):
        await exchange.send(b" ")


async def huge(exchange: Exchange) -> None:
    await exchange.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
    with contextlib.suppress(ConnectionError):
        while True:
            await exchange.send(b" " * 65536)


def event(delta: dict, finish: str | None = None) -> bytes:
    return b"data: " + json.dumps({"choices": [{"delta": delta, "finish_reason": finish}]}).encode() + b"\n\n"


def token(probabilities: dict[str, float]) -> dict:
    """The `logprobs` of an answer of one token: the first, with all of them as likely."""
    items = [{"token": text, "logprob": math.log(probability)} for text, probability in probabilities.items()]
    return {"content": [{**items[0], "top_logprobs": items}]}


def parts(body, kind):
    """The texts ("text") or images ("image_url") of a request, in order."""
    content = [part for message in body["messages"] for part in message["content"]]
    return [part[kind] for part in content if part["type"] == kind]


def image_of(part):
    """(H, W, 3) uint8 RGB."""
    head, data = part["url"].split(",")
    assert head == "data:image/jpeg;base64"
    return cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


class FakeServer:
    """Serves from a thread of its own while the block lasts.

    Attributes:
        answer: the text that a request is answered with; but where "yes or no" is asked: `presence`, with what is
            likely in its place.
        faults: what the next requests meet in place of their answer, one each.
        asked: every chat request.
        most_at_once: chat requests that were open side by side.
        least_at_once: that must have been open side by side before any is answered.
        images: by uuid, that it remembers.
    """

    def __init__(self, answer: Callable[[dict], str]) -> None:
        self.answer, self.presence, self.logprobs = answer, "yes", None
        self.latency_s, self.models, self.port = 0.0, [MODEL], 0
        self.faults: deque[Fault] = deque()
        self.asked: list[Exchange] = []
        self.open = self.most_at_once = self.least_at_once = 0
        self.images: dict[str, dict] = {}

    def __enter__(self) -> "FakeServer":
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._thread.start()
        assert self._started.wait(10)
        return self

    def __exit__(self, *error: object) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopped.set)
            self._thread.join(10)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def _serve(self) -> None:
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._connection, "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]
        self._open: dict[asyncio.Task, asyncio.StreamWriter] = {}
        self._started.set()
        await self._stopped.wait()
        server.close()
        for writer in self._open.values():
            writer.transport.abort()
        await asyncio.gather(*self._open)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open[asyncio.current_task()] = writer
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while not writer.is_closing():
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                headers = {
                    name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)
                }
                data = await reader.readexactly(int(headers.get("content-length", 0)))
                await self._respond(head[0], Exchange(headers, json.loads(data or b"{}"), reader, writer))
        del self._open[asyncio.current_task()]
        writer.close()

    async def _respond(self, line: str, exchange: Exchange) -> None:
        if line.startswith("GET /v1/models "):
            return await exchange.reply("200 OK", {"data": self.models})
        assert line.startswith("POST /v1/chat/completions "), line
        self.asked.append(exchange)
        self.open += 1
        self.most_at_once = max(self.most_at_once, self.open)
        try:
            await (self.faults.popleft() if self.faults else self.reply_to)(exchange)
        finally:
            self.open -= 1

    async def reply_to(self, exchange: Exchange) -> None:
        """What becomes of a request that meets no fault."""
        while self.most_at_once < self.least_at_once:
            await asyncio.sleep(0.005)
        if not await exchange.stays(self.latency_s):
            return exchange.writer.close()
        if not self._recall(exchange):
            return await exchange.reply("400 Bad Request", {"message": "no such item in the cache"})
        text = self.presence if "Answer yes or no" in str(exchange.body) else self.answer(exchange.body)
        if exchange.body.get("stream"):
            parts = [event({"content": text[at : at + 4]}) for at in range(0, len(text), 4)]
            return await exchange.reply("200 OK", b"".join([*parts, event({}, "stop"), b"data: [DONE]\n\n"]))
        choice = {"message": {"content": text}, "finish_reason": "stop", "logprobs": self.logprobs}
        return await exchange.reply("200 OK", {"choices": [choice]})

    def _recall(self, exchange: Exchange) -> bool:
        """Put images in the place of their uuids, and keep new ones; False: one is not known."""
        content = [part for message in exchange.body.get("messages", ()) for part in message["content"]]
        for part in content:
            if "uuid" in part:
                exchange.recalled += part["image_url"] is None
                part["image_url"] = part["image_url"] or self.images.get(part["uuid"])
                self.images[part["uuid"]] = part["image_url"]
        return all(part.get("image_url", "text") for part in content)
