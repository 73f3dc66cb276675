"""A Celery broker in a folder, for a desk without Redis: kombu's filesystem transport with whole files.

kombu writes a message under its final name before it is complete, so that a reader may meet half a file
and die. Here a message is written elsewhere and renamed, a claim is a rename too, and what cannot be read
is set aside. Queues are served in the order in which they are declared, not in turns.

A message is gone once a worker has read it. That loses nothing: each task only names rows of the database,
and a sweeper finds the rows that no task is working on.
"""

import fcntl
import json
import logging
import os
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty
from time import time_ns
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from kombu.exceptions import ChannelError
from kombu.transport import filesystem, virtual

logger = logging.getLogger(__name__)


class Channel(filesystem.Channel):
    """`messages/<queue>/<time>-<id>` holds one message each; `new`, `claimed` and `unreadable` are on the same volume."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._listed: dict[str, deque[str]] = {}  # names seen in a queue and not yet tried, the oldest first

    # --- messages --------------------------------------------------------------------------
    def _put(self, queue: Any, payload: Any, **kwargs: Any) -> None:
        name = f"{time_ns():020d}-{uuid4().hex}"
        new = self._folder("new") / name
        try:
            new.write_text(json.dumps(payload), encoding="utf-8")
            new.rename(self._queue_folder(queue) / name)
        except OSError as error:
            new.unlink(missing_ok=True)
            raise ChannelError(f"a message for the queue {queue} cannot be stored: {error}") from error

    def _get(self, queue: str, timeout: float | None = None) -> dict:
        while True:
            name = self._next_name(queue)
            claimed = self._folder("claimed") / f"{quote(queue, safe='')}-{name}"
            try:
                (self._queue_folder(queue) / name).rename(claimed)
            except FileNotFoundError:
                continue  # another worker was faster
            try:
                payload = json.loads(claimed.read_bytes())
                if not isinstance(payload, dict) or "body" not in payload:
                    raise ValueError("it is no message")
            except (ValueError, RecursionError) as error:
                claimed.rename(self._folder("unreadable") / claimed.name)
                logger.warning("a message of the queue %s is set aside, unreadable/%s: %s", queue, claimed.name, error)
                continue
            claimed.unlink(missing_ok=True)
            return payload

    def _next_name(self, queue: str) -> str:
        """The oldest message that was not tried yet. A folder is listed again only when all it held has been tried."""
        listed = self._listed.setdefault(queue, deque())
        if not listed:
            listed.extend(sorted(os.listdir(self._queue_folder(queue))))
        if not listed:
            raise Empty
        return listed.popleft()

    def _poll(self, cycle: object, callback: Callable, timeout: float | None = None) -> None:
        """Deliver from the first queue that holds anything: the urgent ones are declared first."""
        for queue in self._active_queues:
            try:
                return self._get_and_deliver(queue, callback)
            except Empty:
                continue
        raise Empty

    def _size(self, queue: str) -> int:
        return len(os.listdir(self._queue_folder(queue)))

    def _purge(self, queue: str) -> int:
        names = os.listdir(self._queue_folder(queue))
        for name in names:
            (self._queue_folder(queue) / name).unlink(missing_ok=True)
        return len(names)

    def _queue_folder(self, queue: str) -> Path:
        return self._folder(f"messages/{quote(queue, safe='')}")

    def _folder(self, name: str) -> Path:
        folder = Path(self.transport_options["folder"]) / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    # --- which queues an exchange feeds ----------------------------------------------------
    def get_table(self, exchange: str) -> list[filesystem.exchange_queue_t]:
        file = self._exchange_file(exchange)
        try:
            return [filesystem.exchange_queue_t(*row) for row in json.loads(file.read_bytes())]
        except FileNotFoundError:
            return []
        except (ValueError, TypeError) as error:
            logger.warning("%s is set aside and written again: %s", file, error)
            file.replace(self._folder("unreadable") / file.name)
            return []

    def _lookup(self, exchange: str, routing_key: str, default: str | None = None) -> list[str]:
        """A direct exchange whose table was lost feeds the queue of that name, as all of the desk's own do."""
        kind = self.typeof(exchange)
        if (
            exchange
            and kind.type == "direct"
            and not kind.lookup(self.get_table(exchange), exchange, routing_key, None)
        ):
            return [routing_key]
        return super()._lookup(exchange, routing_key, default)

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        row = filesystem.exchange_queue_t(routing_key or "", pattern or "", queue or "")
        with self._tables_locked():
            table = self.get_table(exchange)
            if row not in table:
                self._write_table(exchange, [row, *table])

    def _delete(self, queue: str, exchange: str, routing_key: str, pattern: str, *args: Any, **kwargs: Any) -> None:
        virtual.Channel._delete(self, queue, exchange, routing_key, pattern, *args, **kwargs)
        row = filesystem.exchange_queue_t(routing_key or "", pattern or "", queue or "")
        with self._tables_locked():
            table = self.get_table(exchange)
            if row in table:
                self._write_table(exchange, [other for other in table if other != row])

    def _write_table(self, exchange: str, table: list) -> None:
        new = self._folder("new") / uuid4().hex
        new.write_text(json.dumps(table), encoding="utf-8")
        new.replace(self._exchange_file(exchange))

    def _exchange_file(self, exchange: str) -> Path:
        return self._folder("exchanges") / f"{quote(exchange, safe='') or 'default'}.json"

    @contextmanager
    def _tables_locked(self) -> Iterator[None]:
        """One process at a time changes tables; readers need no lock, since a table is replaced whole."""
        with (self._folder("exchanges") / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


class Transport(filesystem.Transport):
    Channel = Channel
    global_state = virtual.BrokerState()
