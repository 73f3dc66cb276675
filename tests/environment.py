"""Loaded before Django's settings: every run of the tests has a folder of its own."""

import os
import tempfile

VAR = tempfile.mkdtemp(prefix="reviewdesk-tests-")
os.environ["REVIEWDESK_VAR"] = VAR
os.environ["DATABASE_URL"] = f"sqlite:///{VAR}/reviewdesk.sqlite3"
os.environ["CELERY_BROKER_URL"] = f"filesystem://{VAR}/queue"
for name in (
    "REVIEWDESK_RETRIEVAL",
    "REVIEWDESK_DRAFTING",
    "REVIEWDESK_EMBEDDER",
    "REVIEWDESK_ENCODER",
    "REVIEWDESK_REVIEW_THRESHOLD",
):
    os.environ.pop(name, None)
