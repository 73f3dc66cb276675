"""A connection that the server ended is replaced before it is used; one that lives costs no query."""

import pytest
from django.db import connection
from django.db.backends.postgresql.base import DatabaseWrapper

from tests.environment import DATABASE

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(DATABASE != "postgres", reason="about PostgreSQL alone"),
]


@pytest.fixture
def asked(monkeypatch):
    """How often Django asked the server whether it lives."""
    calls: list[bool] = []
    ask = DatabaseWrapper.is_usable
    monkeypatch.setattr(DatabaseWrapper, "is_usable", lambda self: calls.append(ask(self)) or calls[-1])
    return calls


def backend() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return cursor.fetchone()[0]


def next_request() -> None:
    connection.health_check_enabled, connection.health_check_done = True, False


def test_a_connection_that_lives_is_not_asked(asked):
    first = backend()
    next_request()
    assert backend() == first
    assert asked == []


def test_a_connection_that_the_server_ended_is_replaced(asked):
    first, other = backend(), connection.copy()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [first])
    other.close()
    next_request()
    assert backend() != first
    assert asked == [False]


def test_after_an_error_the_server_is_asked(asked):
    first = backend()
    connection.errors_occurred = True
    connection.close_if_unusable_or_obsolete()
    assert (asked, backend()) == ([True], first)
