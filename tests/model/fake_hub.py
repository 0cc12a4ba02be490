"""A hub on loopback that answers what huggingface_hub asks, and fails as real ones do."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

COMMIT = "5" * 40
LFS = (".safetensors", ".bin")


@dataclass
class Repository:
    """What one holds.

    Attributes:
        corrupt: names of files of which a byte is changed on the way.
        cut: by name, after how many bytes a file's first download stops; it then waits.
    """

    files: dict[str, bytes]
    licence: str = "apache-2.0"
    is_gated: bool = False
    corrupt: set[str] = field(default_factory=set)
    cut: dict[str, int] = field(default_factory=dict)

    def sibling(self, name: str) -> dict[str, Any]:
        data = self.files[name]
        entry: dict[str, Any] = {"rfilename": name, "size": len(data), "blobId": git_sha1(data)}
        if name.endswith(LFS):
            entry["lfs"] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest(), "pointerSize": 130}
        return entry


def git_sha1(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class FakeHub:
    """Attributes:
    url: what HF_ENDPOINT is to be.
    repositories: by id.
    requests: of files, as (method, name, Range header).
    """

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.requests: list[tuple[str, str, str]] = []
        self.stalled = threading.Event()
        self.closing = threading.Event()
        handler = type("Handler", (_Handler,), {"hub": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def add(self, name: str, directory: Path | None = None, **files: bytes | str) -> Repository:
        """A repository of a directory's files, and of more by name, `__` for a dot."""
        files_there = [path for path in directory.rglob("*") if path.is_file()] if directory else []
        held = {str(path.relative_to(directory)): path.read_bytes() for path in files_there}
        for key, value in files.items():
            held[key.replace("__", ".")] = value.encode() if isinstance(value, str) else value
        self.repositories[name] = Repository(held)
        return self.repositories[name]

    def fetched(self) -> list[str]:
        """Names of the files whose content was asked for."""
        return [name for method, name, _ in self.requests if method == "GET"]


class _Handler(BaseHTTPRequestHandler):
    hub: FakeHub

    def do_GET(self) -> None:
        self._answer("GET")

    def do_HEAD(self) -> None:
        self._answer("HEAD")

    def _answer(self, method: str) -> None:
        words = urlsplit(self.path).path.strip("/").split("/")
        if words[:2] == ["api", "models"]:
            self._info("/".join(words[2:4]))
        elif words[2:3] == ["resolve"]:
            self._file(method, "/".join(words[:2]), "/".join(words[4:]))
        else:  # what the client asks for its own sake
            self._refuse(404, "")

    def _info(self, name: str) -> None:
        repository = self.hub.repositories.get(name)
        if repository is None:
            self._refuse(401, "RepoNotFound")
            return
        siblings = [repository.sibling(file) for file in repository.files]
        info = {"id": name, "sha": COMMIT, "siblings": siblings, "cardData": {"license": repository.licence}}
        body = json.dumps(info).encode()
        self._start(200, {"Content-Length": str(len(body)), "Content-Type": "application/json"})
        self.wfile.write(body)

    def _file(self, method: str, repository_name: str, name: str) -> None:
        repository = self.hub.repositories[repository_name]
        self.hub.requests.append((method, name, self.headers.get("Range", "")))
        if repository.is_gated:
            self._refuse(403, "GatedRepo")
            return
        entry, data = repository.sibling(name), repository.files[name]
        if name in repository.corrupt:
            data = data[:-1] + bytes([data[-1] ^ 1])
        start = int(self.headers.get("Range", "bytes=0-")[6:].rstrip("-"))
        headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{entry["blobId"]}"', "Content-Length": str(len(data) - start)}
        if "lfs" in entry:
            headers |= {"X-Linked-ETag": f'"{entry["lfs"]["sha256"]}"', "X-Linked-Size": str(len(data))}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        self._start(206 if start else 200, headers)
        if method == "GET":
            stop = repository.cut.pop(name, None)
            self.wfile.write(data[start:stop])
            if stop is not None:
                self.wfile.flush()
                self.hub.stalled.set()
                self.hub.closing.wait(300)

    def _refuse(self, status: int, code: str) -> None:
        self._start(status, {"X-Error-Code": code, "X-Error-Message": code, "Content-Length": "0"})

    def _start(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def serving() -> Iterator[FakeHub]:
    hub = FakeHub()
    thread = threading.Thread(target=hub.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield hub
    finally:
        hub.closing.set()
        hub.server.shutdown()
        hub.server.server_close()
        thread.join()


def use(monkeypatch: pytest.MonkeyPatch, url: str, home: Path) -> Path:
    """Makes a hub the one of this process, with a cache of its own; gives the cache."""
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", url)
    monkeypatch.setattr(
        "huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", url + "/{repo_id}/resolve/{revision}/{filename}"
    )
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(home / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    return home / "hub"
