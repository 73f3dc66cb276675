"""Fixtures of all tests: eager tasks, three people, the starter model."""

import shutil

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from classifier.models import DEFAULTS
from reviewdesk.backends import Remembered
from tests import factories
from tests.environment import POSTGRES, VAR


def pytest_unconfigure() -> None:
    if POSTGRES:
        POSTGRES.stop()
    shutil.rmtree(VAR, ignore_errors=True)


@pytest.fixture(autouse=True)
def _eager_tasks():
    """Unit tests run tasks in place, once a transaction's commit hooks are executed."""
    import classifier.tasks  # noqa: F401
    import responses.tasks  # noqa: F401
    import reviewdesk.people.tasks  # noqa: F401
    import reviewdesk.tasks  # noqa: F401
    from reviewdesk.celery import app

    app.conf.task_always_eager = True
    app.conf.task_eager_propagates = True
    yield


@pytest.fixture(autouse=True)
def _nothing_remembered():
    """What a process keeps for seconds is of another test's database."""
    cache.clear()
    for remembered in list(Remembered.every):
        remembered.forget()


@pytest.fixture(autouse=True)
def _no_overlap(monkeypatch):
    """One answer ends an item unless a test asks for a second reviewer."""
    for fields in DEFAULTS.values():
        monkeypatch.setitem(fields, "overlap_share", 0.0)


@pytest.fixture
def agent(db):
    return factories.make_user(role="agent")


@pytest.fixture
def reviewer(db):
    return factories.make_user(role="reviewer")


@pytest.fixture
def admin(db):
    return factories.make_user(role="admin")


@pytest.fixture(scope="session")
def starter_folder():
    """The starter model's artifact, exported once a session."""
    from ml.starter import save_starter

    folder = settings.MODELS_DIR / "starter"
    if not folder.exists():
        save_starter(folder)
    return folder


@pytest.fixture
def starter(db, starter_folder):
    """The starter in production, with the taxonomy it answers in."""
    from classifier.registry import serving
    from classifier.registry.building import ensure_starter
    from classifier.taxonomy import load_starter_taxonomy

    load_starter_taxonomy()
    serving.forget()
    yield ensure_starter()
    serving.forget()


def pytest_terminal_summary(terminalreporter) -> None:
    """Say in the last lines what was left out for want of a browser."""
    reasons = {r.longrepr[2] for r in terminalreporter.stats.get("skipped", []) if "browser tests" in str(r.longrepr)}
    for reason in reasons:
        terminalreporter.write_line(reason.removeprefix("Skipped: "), yellow=True)


@pytest.fixture
def as_of(transactional_db):
    """as_of(app, migration) → the models of that time; as_of() → today's tables, which also come back at the end."""

    def migrate(*target: str):
        executor = MigrationExecutor(connection)
        return executor.migrate([target] if target else executor.loader.graph.leaf_nodes()).apps

    yield migrate
    migrate()
