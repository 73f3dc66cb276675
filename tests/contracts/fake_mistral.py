"""A server on loopback that speaks Mistral's chat API: streams, refuses, stalls and breaks off as it is told.

`python -m tests.contracts.fake_mistral PORT` runs one by itself.
"""

import json
import re
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Behaviour = Callable[["BaseHTTPRequestHandler", dict], None]


class FakeMistral:
    """`with FakeMistral() as server:`; behaviours queued in `next_ones` are used up first, then it answers."""

    def __init__(self, port: int = 0, pause: float = 0.0) -> None:
        self.requests: list[dict] = []
        self.headers: list[dict] = []
        self.next_ones: list[Behaviour] = []
        self.pause, self._port = pause, port

    def __enter__(self) -> "FakeMistral":
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def do_POST(self):
                asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
                fake.requests.append(asked)
                fake.headers.append(dict(self.headers))
                behaviour = fake.next_ones.pop(0) if fake.next_ones else fake.answer
                assert self.path == "/v1/chat/completions", self.path
                behaviour(self, asked)

        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *args) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, http: BaseHTTPRequestHandler, asked: dict) -> None:
        """The first sentence of each source, in the form that is asked for."""
        if asked["response_format"]["type"] == "text":
            return stream(http, ["The customer asks about a password reset."])
        user = asked["messages"][1]["content"]
        sources = re.findall(r"Source (\d+) .*?:\n<<<\w+>>>\n(.+?)\n<<<", user, re.DOTALL)
        rows = [{"text": re.split(r"(?<=[.!?])\s", text)[0], "sources": [int(n)]} for n, text in sources[:2]]
        text = json.dumps({"sentences": rows})
        return stream(http, [text[i : i + 12] for i in range(0, len(text), 12)], pause=self.pause)


def event(content: str, finish: str | None = None, usage: dict | None = None) -> bytes:
    data = {"id": "x", "model": "m", "choices": [{"index": 0, "delta": {"content": content}, "finish_reason": finish}]}
    return f"data: {json.dumps(data | ({'usage': usage} if usage else {}))}\n\n".encode()


def stream(http, parts: list[str], *, finish: str | None = "stop", pause: float = 0.0, cut: bool = False) -> None:
    """Server-sent events, chunked; with `cut` the connection ends in the middle."""
    http.send_response(200)
    http.send_header("Content-Type", "text/event-stream")
    http.send_header("Transfer-Encoding", "chunked")
    http.end_headers()

    def write(data: bytes) -> None:
        http.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        http.wfile.flush()

    for part in parts:
        write(event(part))
        time.sleep(pause)
    if cut:
        http.close_connection = True
        return
    if finish:
        usage = {"prompt_tokens": 321, "completion_tokens": 45, "total_tokens": 366}
        write(event("", finish, usage))
        write(b"data: [DONE]\n\n")
    write(b"")


def sentences(*rows: tuple[str, list[int]], **options) -> Behaviour:
    """Answers with these sentences and their sources."""
    text = json.dumps({"sentences": [{"text": t, "sources": n} for t, n in rows]}, ensure_ascii=False)
    return lambda http, asked: stream(http, [text[i : i + 7] for i in range(0, len(text), 7)], **options)


def refuse(status: int, headers: dict | None = None, body: bytes = b'{"message": "no"}') -> Behaviour:
    def behave(http, asked) -> None:
        http.send_response(status)
        for name, value in {
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            **(headers or {}),
        }.items():
            http.send_header(name, value)
        http.end_headers()
        http.wfile.write(body)

    return behave


def silence(seconds: float) -> Behaviour:
    """Takes the request and says nothing for a while, then hangs up."""

    def behave(http, asked) -> None:
        time.sleep(seconds)
        http.close_connection = True

    return behave


if __name__ == "__main__":
    with FakeMistral(int(sys.argv[1]), pause=0.1) as server:
        print(server.url, flush=True)  # noqa: T201
        threading.Event().wait()
