"""Says once what goes wrong again and again: a warning when it begins or changes, a line when it is over."""

import logging
from collections import OrderedDict
from collections.abc import Hashable
from typing import ClassVar

REMEMBERED = 1_000  # keys of one Trouble


class Trouble:
    """One thing that may fail each time it is tried, such as a back end, or one of many, told apart by `key`.

    It remembers within a process: each worker process says it once.
    """

    def __init__(self, logger: logging.Logger, over: str = ""):
        self._logger = logger
        self._over = over
        self._last: OrderedDict[Hashable, str] = OrderedDict()

    def report(self, message: str, *, key: Hashable = None, exc_info: bool = False) -> None:
        """Log the message, unless it was the last one for this key."""
        if self._last.get(key) == message:
            return
        self._last[key] = message
        self._last.move_to_end(key)
        if len(self._last) > REMEMBERED:
            self._last.popitem(last=False)
        self._logger.warning("%s", message, exc_info=exc_info)

    def over(self, *, key: Hashable = None) -> None:
        """Note that it works; a trouble that comes again is said again."""
        if self._last.pop(key, None) is not None and self._over:
            self._logger.warning("%s", self._over)


class OncePerTask(logging.Filter):
    """For Celery's log of failed tasks: the same failure of a task is said once, until the task has succeeded."""

    last: ClassVar[dict[str, str]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        context = getattr(record, "data", None)
        if record.levelno < logging.WARNING or not isinstance(context, dict):
            return True
        name, error = str(context.get("name")), str(context.get("exc"))
        repeated = self.last.get(name) == error
        self.last[name] = error
        return not repeated
