"""Runs the benchmarks in a folder and database of their own, and prints one table."""

import os
import shutil
import sys
import tempfile

VAR = tempfile.mkdtemp(prefix="reviewdesk-bench-")
os.environ |= {
    "DJANGO_SETTINGS_MODULE": "reviewdesk.settings",
    "REVIEWDESK_VAR": VAR,
    "DATABASE_URL": f"sqlite:///{VAR}/bench.sqlite3",
    "CELERY_BROKER_URL": f"filesystem://{VAR}/queue",
}

import django  # noqa: E402

django.setup()

from collections.abc import Callable  # noqa: E402
from pathlib import Path  # noqa: E402

from django.core.management import call_command  # noqa: E402

from benchmarks import comparing, inference, intake, learning, queue, retraining, retrieval  # noqa: E402
from classifier.registry.building import ensure_starter  # noqa: E402
from classifier.registry.queries import folder_of  # noqa: E402
from classifier.taxonomy import load_starter_taxonomy  # noqa: E402


def main(wanted: list[str]) -> None:
    """Run all benchmarks, or those named: inference, intake, queue, retrieval, learning, comparing,
    retraining."""
    call_command("migrate", verbosity=0)
    load_starter_taxonomy()
    starter = folder_of(ensure_starter())
    work = Path(VAR) / "work"
    work.mkdir()
    tables: dict[str, tuple[str, Callable]] = {
        "inference": ("Inference, one email at a time, tokenising included", lambda: inference.run(starter, work)),
        "intake": ("Import of rows without labels", intake.run),
        "queue": ("Claiming the next review item", queue.run),
        "retrieval": ("Search in the embedded index", lambda: retrieval.run(work)),
    }
    if learning.there():
        tables["learning"] = ("Learning from real questions", lambda: learning.run(work))
        tables["comparing"] = ("Comparing two models on real questions", lambda: comparing.run(work))
        tables["retraining"] = ("Retraining from answers to real questions", lambda: retraining.run(work))
    for name, (title, run) in tables.items():
        if wanted and name not in wanted:
            continue
        print(f"\n{title}", flush=True)
        for row, value in run():
            print(f"  {row:52} {value}", flush=True)


try:
    main(sys.argv[1:])
finally:
    shutil.rmtree(VAR, ignore_errors=True)
