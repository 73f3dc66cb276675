"""Runs the benchmarks in a folder and database of their own, and prints one table."""

import os
import shutil
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

from django.core.management import call_command  # noqa: E402

from benchmarks import inference, intake, queue  # noqa: E402
from classifier.registry.building import ensure_starter  # noqa: E402
from classifier.taxonomy import load_starter_taxonomy  # noqa: E402

try:
    call_command("migrate", verbosity=0)
    load_starter_taxonomy()
    version = ensure_starter()
    for title, rows in (
        ("Inference, one email at a time, tokenising included", inference.run(version)),
        ("Import of rows without labels", intake.run()),
        ("Claiming the next review item", queue.run()),
    ):
        print(f"\n{title}")
        for name, value in rows:
            print(f"  {name:46} {value}")
finally:
    shutil.rmtree(VAR, ignore_errors=True)
