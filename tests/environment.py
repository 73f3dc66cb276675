"""Loaded before Django's settings: every run of the tests has a folder and a database of its own.

`REVIEWDESK_TEST_DATABASE=postgres` runs them on a PostgreSQL server that is started for them.
"""

import os
import tempfile
from pathlib import Path

from tests.postgres import Postgres

VAR = tempfile.mkdtemp(prefix="reviewdesk-tests-")
DATABASE = os.environ.get("REVIEWDESK_TEST_DATABASE", "sqlite")
if DATABASE not in ("sqlite", "postgres"):
    raise SystemExit(f"REVIEWDESK_TEST_DATABASE is {DATABASE!r}; allowed: sqlite, postgres")
POSTGRES = Postgres(Path(VAR) / "postgres") if DATABASE == "postgres" else None


def new_database(folder: Path | str) -> str:
    """The address of a database for one desk."""
    return POSTGRES.create() if POSTGRES else f"sqlite:///{folder}/reviewdesk.sqlite3"


def url_of(name: Path | str) -> str:
    """The address of the database that the tests run on, by its name in Django's settings."""
    return POSTGRES.url(str(name)) if POSTGRES else f"sqlite:///{name}"


os.environ["REVIEWDESK_VAR"] = VAR
os.environ["DATABASE_URL"] = POSTGRES.url() if POSTGRES else new_database(VAR)
os.environ["CELERY_BROKER_URL"] = f"filesystem://{VAR}/queue"
for name in (
    "REVIEWDESK_RETRIEVAL",
    "REVIEWDESK_DRAFTING",
    "REVIEWDESK_EMBEDDER",
    "REVIEWDESK_ENCODER",
    "REVIEWDESK_REVIEW_THRESHOLD",
):
    os.environ.pop(name, None)
