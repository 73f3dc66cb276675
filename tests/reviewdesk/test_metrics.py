"""Metrics of several processes are added up, and never take the desk down."""

import logging
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from classifier.prediction.metrics import GpuMemory
from reviewdesk.shared_metrics import SharedMetrics
from tests.desk import ROOT

OTHER = """
import sys, os
from pathlib import Path
from prometheus_client import CollectorRegistry, Counter, Gauge
from reviewdesk.shared_metrics import SharedMetrics
registry = CollectorRegistry()
Counter("mails", "Mails", ["department"], registry=registry).labels("it").inc(5)
Gauge("memory", "Memory", registry=registry).set(100)
shared = SharedMetrics(Path(sys.argv[1]), registry)
shared.touch()
shared.write()
os._exit(9)
"""


def test_counters_of_processes_that_are_gone_count_and_gauges_do_not(tmp_path):
    registry = CollectorRegistry()
    mails = Counter("mails", "Mails", ["department"], registry=registry)
    seconds = Histogram("seconds", "Time", buckets=(1, 2), registry=registry)
    Gauge("memory", "Memory", registry=registry).set(7)
    shared = SharedMetrics(tmp_path, registry)
    mails.labels("it").inc(2)
    seconds.observe(1.5)
    shared.touch()
    for _ in range(2):
        subprocess.run([sys.executable, "-c", OTHER, str(tmp_path)], cwd=ROOT, check=False)
    text = shared.exposition().decode()
    assert 'mails_total{department="it"} 12.0' in text and "# TYPE mails_total counter" in text
    assert 'seconds_bucket{le="2.0"} 1.0' in text and "seconds_count 1.0" in text
    assert "memory 7.0" in text
    shared.clear()
    assert 'mails_total{department="it"} 2.0' in shared.exposition().decode()


def test_a_full_disk_costs_figures_and_nothing_else(tmp_path, monkeypatch, caplog):
    registry = CollectorRegistry()
    mails = Counter("mails", "Mails", registry=registry)
    shared = SharedMetrics(tmp_path, registry)
    mails.inc()
    shared.write()

    def full(self, text, **kwargs):
        self.touch()
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched, caplog.at_level(logging.WARNING):
        patched.setattr(Path, "write_text", full)
        for _ in range(3):
            mails.inc()
            shared.write()
        assert "mails_total 1.0" in shared.exposition().decode(), "the last that could be written"
    assert caplog.text.count("No space left") == 1 and not list(tmp_path.glob("*.new"))
    assert "mails_total 4.0" in shared.exposition().decode()


def test_no_file_is_mapped_into_memory():
    import prometheus_client.values

    assert "PROMETHEUS_MULTIPROC_DIR" not in os.environ
    assert prometheus_client.values.ValueClass.__name__ == "MutexValue"


def test_gpu_memory_is_measured_or_left_out(monkeypatch):
    assert list(GpuMemory().collect()) == []
    cuda = SimpleNamespace(
        is_initialized=lambda: True, device_count=lambda: 2, memory_reserved=lambda n: (n + 1) * 1_000
    )
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    (metric,) = GpuMemory().collect()
    assert metric.samples[0].value == 3_000
