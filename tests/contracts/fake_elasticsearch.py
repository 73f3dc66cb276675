"""An Elasticsearch of our own on loopback: the few calls that the adapter makes, in memory.

Vectors are searched exactly; words by how many distinct ones match, cut to five letters in place of stemming. Where the
official API document lies beside the project (../shared/elasticsearch-contract), every request and answer is checked
against it.
"""

import importlib.util
import json
import re
import threading
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np

CONTRACT = Path(__file__).parents[3] / "shared" / "elasticsearch-contract" / "validate.py"


@cache
def contract():
    """The validator of the official document; None where it is not there."""
    if not CONTRACT.is_file():
        return None
    spec = importlib.util.spec_from_file_location("elasticsearch_contract", CONTRACT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Contract()


class FakeElasticsearch:
    """`with FakeElasticsearch() as server:` serves at `server.url`; `fail` (status, reason) makes it refuse everything."""

    def __init__(self) -> None:
        self.indexes: dict[str, dict[str, Any]] = {}
        self.aliases: dict[str, set[str]] = {}
        self.requests: list[tuple[str, str]] = []
        self.violations: list[str] = []
        self.fail: tuple[int, str] | None = None

    def __enter__(self) -> "FakeElasticsearch":
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def handle_all(self):
                fake._handle(self)

            do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = handle_all

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *args) -> None:
        self._server.shutdown()
        self._server.server_close()

    # --- HTTP --------------------------------------------------------------------------------

    def _handle(self, http: BaseHTTPRequestHandler) -> None:
        raw = http.rfile.read(int(http.headers.get("content-length") or 0))
        lines = "x-ndjson" in (http.headers.get("content-type") or "")
        body = [json.loads(line) for line in raw.splitlines() if line] if lines else json.loads(raw) if raw else None
        path = http.path.split("?")[0]
        self.requests.append((http.command, path))
        self._check("request", http.command, http.path, body)
        if self.fail:
            status, answer = (
                self.fail[0],
                {"error": {"type": "refused", "reason": self.fail[1]}, "status": self.fail[0]},
            )
        else:
            status, answer = self._answer(http.command, path, body)
        if status == 200 and http.command != "HEAD":
            self._check("response", http.command, http.path, answer)
        data = b"" if http.command == "HEAD" else json.dumps(answer).encode()
        http.send_response(status)
        http.send_header("X-Elastic-Product", "Elasticsearch")
        http.send_header("Content-Type", "application/vnd.elasticsearch+json; compatible-with=9")
        http.send_header("Content-Length", str(len(data)))
        http.end_headers()
        http.wfile.write(data)

    def _check(self, side: str, method: str, target: str, body: Any) -> None:
        if contract() is not None:
            try:
                getattr(contract(), side)(method, target, body)
            except AssertionError as error:
                self.violations.append(f"{side} {method} {target}: {error}")

    def _answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        first, _, rest = path.strip("/").partition("/")
        if path == "/_aliases":
            return self._update_aliases(body)
        if first == "_alias":
            names = self.aliases.get(rest, set())
            return (
                (200, {n: {"aliases": {rest: {}}} for n in names})
                if names
                else (404, {"error": "missing", "status": 404})
            )
        if path.endswith("_msearch"):
            pairs = zip(body[::2], body[1::2], strict=True)
            return 200, {"took": 1, "responses": [self._search(head["index"], part) for head, part in pairs]}
        if path.endswith("_bulk"):
            return 200, self._bulk(body)
        if method == "PUT" and not rest:
            self.indexes[first] = {"mappings": body["mappings"], "documents": {}}
            return 200, {"acknowledged": True, "shards_acknowledged": True, "index": first}
        if first not in self.indexes:
            return 404, {
                "error": {"type": "index_not_found_exception", "reason": f"no such index [{first}]"},
                "status": 404,
            }
        return 200, self._of_index(method, first, rest, body)

    def _of_index(self, method: str, name: str, rest: str, body: Any) -> Any:
        index = self.indexes[name]
        if rest == "_mapping" and method == "PUT":
            index["mappings"]["_meta"] = body["_meta"]
            return {"acknowledged": True}
        if rest == "_mapping":
            return {name: {"mappings": index["mappings"]}}
        if rest == "_delete_by_query":
            ids = body["query"]["terms"]["document_id"]
            gone = [k for k, d in index["documents"].items() if d["document_id"] in ids]
            for key in gone:
                del index["documents"][key]
            return {"took": 1, "timed_out": False, "deleted": len(gone), "total": len(gone), "failures": [],
                    "batches": 1, "version_conflicts": 0, "noops": 0}  # fmt: skip
        if rest == "_refresh":
            return {"_shards": {"total": 1, "successful": 1, "failed": 0}}
        if method == "DELETE":
            del self.indexes[name]
            for names in self.aliases.values():
                names.discard(name)
        return {"acknowledged": True}

    def _update_aliases(self, body: Any) -> tuple[int, Any]:
        for action in body["actions"]:
            ((kind, of),) = action.items()
            names = self.aliases.setdefault(of["alias"], set())
            names.add(of["index"]) if kind == "add" else names.discard(of["index"])
        return 200, {"acknowledged": True}

    def _bulk(self, lines: list[dict]) -> dict:
        items = []
        for action, source in zip(lines[::2], lines[1::2], strict=True):
            of = action["index"]
            known = self.indexes[of["_index"]]["mappings"]["properties"]
            assert set(source) <= set(known), f"strict mapping: {set(source) - set(known)}"
            assert len(source["embedding"]) == known["embedding"]["dims"]
            self.indexes[of["_index"]]["documents"][of["_id"]] = source
            items.append({"index": {"_index": of["_index"], "_id": of["_id"], "status": 201, "result": "created"}})
        return {"took": 1, "errors": False, "items": items}

    # --- Search ------------------------------------------------------------------------------

    def _search(self, target: str, body: dict) -> dict:
        names = self.aliases.get(target) or ({target} & set(self.indexes))
        if not names:
            return {
                "error": {"type": "index_not_found_exception", "reason": f"no such index [{target}]"},
                "status": 404,
            }
        documents = {k: d for n in names for k, d in self.indexes[n]["documents"].items()}
        knn = body.get("knn")
        filters = knn["filter"] if knn else body["query"]["bool"]["filter"]
        passing = {k: d for k, d in documents.items() if all(_passes(d, f) for f in filters)}
        score = (
            _by_vector(knn["query_vector"]) if knn else _by_words(body["query"]["bool"]["must"][0]["match"]["content"])
        )
        scored = sorted(((score(d), k) for k, d in passing.items()), key=lambda s: (-s[0], s[1]))
        scored = [(s, k) for s, k in scored if s > 0][: min(body["size"], knn["k"] if knn else body["size"])]
        hits = [
            {
                "_index": next(iter(names)),
                "_id": k,
                "_score": s,
                "_source": {f: documents[k][f] for f in body["_source"]},
            }
            for s, k in scored
        ]
        return {"took": 1, "timed_out": False, "status": 200, "_shards": {"total": 1, "successful": 1, "failed": 0, "skipped": 0},
                "hits": {"total": {"value": len(hits), "relation": "eq"}, "max_score": scored[0][0] if hits else None, "hits": hits}}  # fmt: skip


def _passes(document: dict, condition: dict) -> bool:
    ((field, value),) = condition["term"].items()
    outer, _, inner = field.partition(".")
    return document[outer][inner] == value


def _by_vector(vector: list[float]):
    query = np.asarray(vector) / np.linalg.norm(vector)

    def score(document: dict) -> float:
        x = np.asarray(document["embedding"])
        return float((1 + query @ x / np.linalg.norm(x)) / 2)

    return score


def _by_words(match: dict):
    wanted = _stems(match["query"])
    return lambda document: float(len(wanted & _stems(document["content"])))


def _stems(text: str) -> set[str]:
    return {w[:5] for w in re.findall(r"[^\W_]{4,}", text.lower())}
