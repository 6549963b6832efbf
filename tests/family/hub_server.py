"""A loopback server that speaks as much of the Hub as a snapshot and ranges take, and notes what it was asked."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import unquote, urlsplit

ASKED_AT_MOST = 500


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    range: str | None
    token: str | None
    sent: int


@dataclass
class Hub:
    """Repositories are folders under `root`, at one commit, where `main` is; ranges: whether the server knows them."""

    root: Path
    commit: str
    ranges: bool = True
    sizes: dict[str, int] = field(default_factory=dict[str, int])
    asked: list[Asked] = field(default_factory=list[Asked])
    url: str = ""

    def of_weights(self) -> list[Asked]:
        return [one for one in self.asked if one.path.endswith(".safetensors")]


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    handler = type("Handler", (_Handler,), {"hub": hub})
    server = _Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up early does what it should."""


class _Handler(BaseHTTPRequestHandler):
    hub: ClassVar[Hub]
    protocol_version = "HTTP/1.1"
    timeout = 10

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        repository, tree, commit = path.removeprefix("/api/models/").partition("/tree/")
        if tree and commit == self.hub.commit:
            self._send(200, self._tree(self.hub.root / repository), {"Content-Type": "application/json"})
            return
        repository, revision, branch = path.removeprefix("/api/models/").partition("/revision/")
        if revision and branch == "main" and (self.hub.root / repository).is_dir():
            described = {"id": repository, "sha": self.hub.commit, "siblings": [], "tags": [], "downloads": 0}
            self._send(200, json.dumps(described).encode(), {"Content-Type": "application/json"})
            return
        repository, resolve, rest = path.removeprefix("/").partition("/resolve/")
        commit, _, name = rest.partition("/")
        file = self.hub.root / repository / name
        if resolve and commit == self.hub.commit and file.is_file():
            self._file(file)
            return
        self._send(404, b"", {"X-Error-Code": "RepoNotFound"})

    do_HEAD = do_GET

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass

    def _tree(self, folder: Path) -> bytes:
        files = [
            {"type": "file", "path": f.name, "size": self.hub.sizes.get(f.name, f.stat().st_size), "oid": f.name}
            for f in sorted(folder.iterdir())
        ]
        return json.dumps(files).encode()

    def _file(self, file: Path) -> None:
        content = file.read_bytes()
        headers = {"ETag": f'"{file.parent.name}-{file.name}"', "X-Repo-Commit": self.hub.commit}
        asked = self.headers.get("Range")
        if asked is None or not self.hub.ranges:
            self._send(200, content, headers)
            return
        begin, end = (int(number) for number in asked.removeprefix("bytes=").split("-"))
        part = content[begin : end + 1]
        size = self.hub.sizes.get(file.name, len(content))
        self._send(206, part, {**headers, "Content-Range": f"bytes {begin}-{end}/{size}"})

    def _send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        body = content if self.command == "GET" else b""
        token = self.headers.get("Authorization")
        if len(self.hub.asked) >= ASKED_AT_MOST:
            status, body = 429, b""
        self.hub.asked.append(Asked(self.command, self.path, self.headers.get("Range"), token, len(body)))
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            self.wfile.write(body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
