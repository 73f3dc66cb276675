"""Queries written once: the same rows as unprepared ones, whatever the values, threads and shapes."""

from datetime import datetime, timedelta
from threading import Thread

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import Q, QuerySet
from django.db.models.sql.compiler import SQLCompiler
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from classifier.models import Customer, Email, Subtype
from reviewdesk.audit.models import AuditEvent
from reviewdesk.prepared import counted, insert, prepared, prepared_update
from tests.factories import make_email


@prepared
def emails_of(kind: Q, *, address: str, since: datetime) -> QuerySet[Email]:
    found = Email.objects.filter(kind, customer__address=address, received_at__gte=since)
    return found.select_related("customer").order_by("pk")


@prepared
def how_many(*, address: str) -> QuerySet[Email, int]:
    return counted(Email.objects.filter(customer__address=address))


@prepared_update
def set_confidence(*, address: str, confidence: float | None, subtype: int | None) -> tuple[QuerySet, dict]:
    return Email.objects.filter(message_id=address), {"confidence": confidence, "subtype": subtype}


@pytest.fixture
def written(monkeypatch):
    """The queries that Django writes the SQL of."""
    models: list[str] = []
    original = SQLCompiler.as_sql

    def counting(self, *args, **kwargs):
        models.append(self.query.model.__name__)
        return original(self, *args, **kwargs)

    monkeypatch.setattr(SQLCompiler, "as_sql", counting)
    return models


def test_a_query_is_written_once_and_gives_the_rows_of_each_call(db, written):
    long_ago, soon = timezone.now() - timedelta(days=900), timezone.now() + timedelta(days=1)
    mine, other = make_email(sender_address="ann@x.example"), make_email(sender_address="bob@x.example")
    emails_of(Q(automatic=""), address="ann@x.example", since=long_ago)
    written.clear()
    assert emails_of(Q(automatic=""), address="ann@x.example", since=long_ago) == [mine]
    assert emails_of(Q(automatic=""), address="bob@x.example", since=long_ago) == [other]
    assert emails_of(Q(automatic=""), address="bob@x.example", since=soon) == []
    assert emails_of(Q(automatic=""), address="nobody@x.example", since=long_ago) == []
    assert written == []
    with CaptureQueriesContext(connection) as queries:
        [found] = emails_of(Q(automatic=""), address="ann@x.example", since=long_ago)
        assert found.customer.address == "ann@x.example"
    assert len(queries) == 1  # what select_related asks for comes along


def test_another_shape_is_another_query(db):
    email = make_email(sender_address="ann@x.example")
    long_ago = timezone.now() - timedelta(days=900)
    assert emails_of(Q(pk=email.pk), address="ann@x.example", since=long_ago) == [email]
    assert emails_of(~Q(pk=email.pk), address="ann@x.example", since=long_ago) == []
    assert emails_of(Q(pk__in=[]), address="ann@x.example", since=long_ago) == []  # known to be empty unasked


def test_a_value_is_never_taken_for_sql(db):
    make_email(sender_address="ann@x.example")
    assert how_many(address="' OR 1=1 --") == [0]
    assert how_many(address="%s") == [0]
    assert how_many(address="ann@x.example") == [1]


def test_an_update_says_how_many_rows_it_changed_and_can_set_nothing(db):
    email, subtype = make_email(message_id="<a@x.example>"), Subtype.objects.first()
    assert set_confidence(address="<a@x.example>", confidence=0.5, subtype=subtype.pk) == 1
    email.refresh_from_db()
    assert (email.confidence, email.subtype) == (0.5, subtype)
    assert set_confidence(address="<a@x.example>", confidence=None, subtype=None) == 1
    email.refresh_from_db()
    assert (email.confidence, email.subtype) == (None, None)
    assert set_confidence(address="<nobody@x.example>", confidence=0.5, subtype=None) == 0


def test_a_row_is_stored_as_django_would(db, admin, written):
    insert(AuditEvent(action="first", object_type="email", object_id="1"))
    event = AuditEvent(
        actor=admin, action="move", object_type="email", object_id="2", detail={"to": ["100% 'it'", None]}
    )
    written.clear()
    insert(event)
    assert written == []
    found = AuditEvent.objects.latest("pk")
    assert (found, found.actor, found.detail, found.at) == (event, admin, {"to": ["100% 'it'", None]}, event.at)
    assert not event._state.adding and event.pk


def test_a_row_that_the_database_refuses_raises(db):
    Customer.objects.create(address="ann@x.example")
    with pytest.raises(IntegrityError), transaction.atomic():
        insert(Customer(address="ann@x.example"))
    assert insert(Customer(address="bob@x.example")).pk == Customer.objects.latest("pk").pk


def test_threads_use_connections_of_their_own(transactional_db):
    make_email(sender_address="ann@x.example")
    how_many(address="ann@x.example")
    seen: list[object] = []

    def ask() -> None:
        try:
            seen.append(how_many(address="ann@x.example"))
        except Exception as error:
            seen.append(error)
        finally:
            connection.close()

    threads = [Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [[1]] * 4
