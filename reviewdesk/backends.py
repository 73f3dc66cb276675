"""Loads back ends: built once a process, on first use, under a lock."""

import logging
from collections.abc import Callable
from threading import Lock
from time import monotonic
from typing import ClassVar, Generic, TypeVar
from weakref import WeakSet

from reviewdesk.trouble import Trouble

T = TypeVar("T")


class Lazy(Generic[T]):
    """Holds one value of `build`, made by the first caller while the others wait.

    A bare `functools.cache` would build one for each thread that races in.
    """

    def __init__(self, build: Callable[[], T]):
        self._build = build
        self._lock = Lock()
        self._value: T | None = None

    def get(self) -> T:
        if self._value is None:
            with self._lock:
                if self._value is None:
                    self._value = self._build()
        return self._value

    def reset(self) -> None:
        with self._lock:
            self._value = None


class Remembered(Generic[T]):
    """What `read` gives, kept in this process for `seconds`: for settings that every request needs and few change."""

    every: ClassVar[WeakSet["Remembered"]] = WeakSet()

    def __init__(self, read: Callable[[], T], *, seconds: float):
        self._read, self._seconds = read, seconds
        self._held: tuple[float, T] | None = None
        self.every.add(self)

    def get(self) -> T:
        held = self._held
        if held is None or monotonic() > held[0]:
            held = self._held = (monotonic() + self._seconds, self._read())
        return held[1]

    def forget(self) -> None:
        self._held = None


logger = logging.getLogger(__name__)
trouble = Trouble(logger, over="The broker takes tasks again.")
EMAILS_PER_TASK = 10  # some 0.3 s of work: between two tasks a worker looks at the more urgent queues


def enqueue(task: str, *args: object) -> None:
    """Ask a worker for a task by its name, once the current transaction has committed.

    A broker that takes nothing (full disk, Redis away) holds nobody up: the row is there, and a sweeper finds it.
    """
    from django.db import transaction

    transaction.on_commit(lambda: _send(task, args))


def _send(task: str, args: tuple[object, ...]) -> None:
    from celery import current_app
    from kombu.exceptions import ChannelError, OperationalError

    try:
        current_app.signature(task, args).apply_async()
    except (ChannelError, OperationalError, OSError) as error:
        trouble.report(f"The broker takes no tasks; sweepers will ask again. {type(error).__name__}: {error}")
    else:
        trouble.over()


def enqueue_emails(ids: list[int]) -> None:
    """Ask workers to take emails on their way, in batches of ids."""
    for start in range(0, len(ids), EMAILS_PER_TASK):
        enqueue("workflow.process_emails", ids[start : start + EMAILS_PER_TASK])
