"""A thousand approved replies, processes killed at random while they send, a real SMTP server: none arrives twice."""

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from datetime import timedelta
from email import message_from_bytes
from email.policy import default

import pytest
from aiosmtpd.controller import Controller
from django.conf import settings as django_settings
from django.core import mail
from django.utils import timezone

from responses.models import Draft, OutgoingMessage
from responses.sending.services import approve, send_due
from tests.environment import url_of
from tests.factories import make_classified, make_draft, make_user

REPLIES, SENDERS = 1_000, 2
STATUS = OutgoingMessage.Status
SENDER = """
import django, time
django.setup()
from responses.sending.services import send_due
while True:
    if not send_due():
        time.sleep(0.05)
"""


class Mailbox:
    """Keeps every message; `slow` seconds pass between the data and the server's yes."""

    def __init__(self, slow: float = 0.0):
        self.received: list[bytes] = []
        self.slow = slow

    async def handle_DATA(self, server, session, envelope):
        import asyncio

        self.received.append(envelope.content)
        await asyncio.sleep(self.slow)
        return "250 OK"

    def ids(self) -> Counter:
        return Counter(str(message_from_bytes(m, policy=default)["Message-ID"]) for m in self.received)


class RefusingCustomers(Mailbox):
    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        if address == "ann@example.com":
            return "550 no such mailbox here"
        envelope.rcpt_tos.append(address)
        return "250 OK"


class Refusing(Mailbox):
    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        return "550 no such mailbox here"


@pytest.fixture
def smtp(settings):
    controllers = []

    def start(handler) -> Controller:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        controller = Controller(handler, hostname="127.0.0.1", port=port)
        controller.start()
        controllers.append(controller)
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
        return controller

    yield start
    for controller in controllers:
        controller.stop()


def approved(n: int) -> None:
    agent = make_user(role="agent")
    email = make_classified(sender_address="ann@example.com")
    for i in range(n):
        draft = make_draft(email, status=Draft.Status.SENT)
        OutgoingMessage.objects.create(
            draft=draft, email=email, approved_by=agent, from_address="it@desk.example", to="ann@example.com",
            subject=f"Re: {i}", body="Done.", message_id=f"<{i}@desk.example>",
            send_after=timezone.now() - timedelta(seconds=1),
        )  # fmt: skip


def test_a_thousand_replies_and_senders_killed_at_random(transactional_db, smtp):
    mailbox = Mailbox(slow=0.002)
    smtp(mailbox)
    approved(REPLIES)
    environment = {
        **os.environ, "DJANGO_SETTINGS_MODULE": "reviewdesk.settings", "REVIEWDESK_EMAIL_BACKEND": django_settings.EMAIL_BACKEND,
        "DATABASE_URL": url_of(django_settings.DATABASES["default"]["NAME"]), "EMAIL_HOST": "127.0.0.1",
        "EMAIL_PORT": str(django_settings.EMAIL_PORT),
    }  # fmt: skip

    def start() -> subprocess.Popen:
        return subprocess.Popen([sys.executable, "-c", SENDER], cwd=django_settings.BASE_DIR, env=environment)

    rng, kills = random.Random(7), 0
    senders = [start() for _ in range(SENDERS)]
    deadline = time.monotonic() + 240
    try:
        while OutgoingMessage.objects.filter(status=STATUS.APPROVED).exists():
            assert time.monotonic() < deadline, "it takes too long"
            time.sleep(rng.uniform(0.2, 0.8))
            if mailbox.received and kills < 12:
                victim = rng.randrange(SENDERS)
                senders[victim].send_signal(signal.SIGKILL)
                senders[victim].wait()
                senders[victim], kills = start(), kills + 1
        time.sleep(0.5)
    finally:
        for sender in senders:
            sender.kill()
            sender.wait()
    assert kills >= 5
    OutgoingMessage.objects.filter(status=STATUS.SENDING).update(changed_at=timezone.now() - timedelta(minutes=6))
    send_due()
    counts = Counter(OutgoingMessage.objects.values_list("status", flat=True))
    assert sum(counts.values()) == REPLIES and set(counts) <= {STATUS.SENT, STATUS.UNKNOWN}, counts
    ids = mailbox.ids()
    assert max(ids.values()) == 1, "a message arrived twice"
    sent = set(OutgoingMessage.objects.filter(status=STATUS.SENT).values_list("message_id", flat=True))
    assert sent <= set(ids), "what is said to be sent has arrived"
    assert counts[STATUS.UNKNOWN] <= kills


def test_headers_reach_the_server_whole(db, smtp):
    mailbox = Mailbox()
    smtp(mailbox)
    references = tuple(f"<{i:03}-{'x' * 40}@mail.example.com>" for i in range(40))
    email = make_classified(
        sender_address="ann@example.com",
        message_id="<last@example.com>",
        references=references,
        subject="Größe der Tür",
    )
    approve(draft=make_draft(email), version=1, user=make_user(role="agent"))
    OutgoingMessage.objects.update(send_after=timezone.now())
    assert send_due() == 1
    (raw,) = mailbox.received
    assert max(map(len, raw.splitlines())) <= 998
    sent = message_from_bytes(raw, policy=default)
    assert sent["In-Reply-To"] == "<last@example.com>" and sent["Subject"] == "Re: Größe der Tür"
    assert sent["References"].split() == [*references, "<last@example.com>"]


def test_a_refused_address_is_a_failure_and_said(db, smtp):
    smtp(Refusing())
    approve(draft=make_draft(make_classified()), version=1, user=make_user(role="agent"))
    OutgoingMessage.objects.update(send_after=timezone.now())
    assert send_due() == 0
    message = OutgoingMessage.objects.get()
    assert message.status == STATUS.FAILED and "550" in message.error


@pytest.mark.parametrize(("to", "status"), [("ann@example.com", "failed"), ("bob@example.com", "sent")])
def test_one_of_several_recipients_refused_is_said(db, smtp, to, status):
    smtp(RefusingCustomers())
    draft = make_draft(
        make_classified(sender_address=to), cc="ann@example.com" if status == "sent" else "cc@example.com"
    )
    approve(draft=draft, version=1, user=make_user(role="agent"))
    OutgoingMessage.objects.update(send_after=timezone.now())
    send_due()
    message = OutgoingMessage.objects.get()
    assert message.status == status and "550 no such mailbox here" in message.error


def test_a_server_that_is_away_is_a_failure_that_can_be_mended(db, settings):
    settings.EMAIL_BACKEND, settings.EMAIL_HOST, settings.EMAIL_PORT = (
        "django.core.mail.backends.smtp.EmailBackend",
        "127.0.0.1",
        9,
    )
    approve(draft=make_draft(make_classified()), version=1, user=make_user(role="agent"))
    OutgoingMessage.objects.update(send_after=timezone.now())
    assert send_due() == 0 and mail.outbox == []
    assert OutgoingMessage.objects.get().status == STATUS.FAILED
    assert threading.active_count() < 20
