"""Prometheus metrics of all processes of the desk, without memory-mapped files.

prometheus_client shares metrics between processes by files mapped into memory, and a write into such a file
on a full disk kills the process. Here each process keeps its metrics for itself and writes them down as JSON
every second; `/metrics` adds up what all of them wrote. A file that cannot be written costs figures, nothing else.
"""

import json
import logging
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from threading import Lock, Thread
from time import sleep, time_ns

import psutil
from prometheus_client import CollectorRegistry, Metric, generate_latest

from reviewdesk.trouble import Trouble

logger = logging.getLogger(__name__)
trouble = Trouble(logger, over="Metrics are written again.")
WRITE_SECONDS = 1.0


class SharedMetrics:
    """The metrics of one registry, added up over the processes that share `folder`."""

    def __init__(self, folder: Path, registry: CollectorRegistry):
        self._folder, self._registry = folder, registry
        self._lock = Lock()
        self._pid = 0
        self._name = ""
        self._changed = False

    def touch(self) -> None:
        """A metric of this process has changed; it is written down within a second."""
        self._changed = True
        with self._lock:
            if self._pid == os.getpid():
                return
            # The first change in this process, or the first after a fork, which copies no threads.
            self._pid = os.getpid()
            self._name = f"{self._pid}-{time_ns()}.json"  # process ids come again
            Thread(target=self._write_on, daemon=True, name="metrics").start()

    def _write_on(self) -> None:
        while True:
            if self._changed:
                self.write()
            sleep(WRITE_SECONDS)

    def write(self) -> None:
        self._changed = False
        file = self._folder / (self._name or f"{os.getpid()}-0.json")
        new = file.with_suffix(".new")
        try:
            new.write_text(json.dumps([_as_json(m) for m in self._registry.collect()]), encoding="utf-8")
            new.replace(file)
        except OSError as error:
            new.unlink(missing_ok=True)
            trouble.report(f"Metrics are not written: {error}")
        else:
            trouble.over()

    def exposition(self) -> bytes:
        """The text format, this process up to now and the others up to a second ago."""
        self.write()
        total = CollectorRegistry(auto_describe=False)
        total.register(_Sums(self._files()))  # type: ignore[arg-type]
        return generate_latest(total)

    def clear(self) -> None:
        """Forget the processes that are gone; only whoever starts all of them may do this."""
        for file in [*self._folder.glob("*.json"), *self._folder.glob("*.new")]:
            file.unlink(missing_ok=True)

    def _files(self) -> Iterator[tuple[int, list[dict]]]:
        for file in sorted(self._folder.glob("*.json")):
            try:
                yield int(file.name.partition("-")[0]), json.loads(file.read_bytes())
            except (OSError, ValueError):
                continue  # it has just been cleared


class _Sums:
    """Adds samples up by name and labels; gauges over the processes that live."""

    def __init__(self, files: Iterable[tuple[int, list[dict]]]):
        self._files = files

    def collect(self) -> Iterator[Metric]:
        metrics: dict[str, Metric] = {}
        sums: dict[str, dict[tuple, float]] = defaultdict(lambda: defaultdict(float))
        for pid, written in self._files:
            lives = psutil.pid_exists(pid)
            for m in written:
                if m["type"] == "gauge" and not lives:
                    continue
                metrics.setdefault(m["name"], Metric(m["name"], m["documentation"], m["type"]))
                for sample, labels, value in m["samples"]:
                    sums[m["name"]][sample, tuple(sorted(labels.items()))] += value
        for name, metric in metrics.items():
            for (sample, labels), value in sums[name].items():
                metric.add_sample(sample, dict(labels), value)
            yield metric


def _as_json(metric: Metric) -> dict:
    samples = [[s.name, s.labels, s.value] for s in metric.samples if not s.name.endswith("_created")]
    return {"name": metric.name, "type": metric.type, "documentation": metric.documentation, "samples": samples}
