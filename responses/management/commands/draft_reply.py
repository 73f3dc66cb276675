"""`draft_reply EMAIL`: write a draft here and now, and print it."""

from typing import Any

from django.core.management.base import CommandParser

from classifier.models import Email
from responses.drafting.services import request_redraft, write_drafts
from responses.models import DraftJob
from reviewdesk.commands import DeskCommand
from reviewdesk.errors import DeskError


class Command(DeskCommand):
    help = "Draft a reply to an email, by its id, and print it with its sources."

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("email", type=int, metavar="EMAIL")

    def run(self, **options: Any) -> None:
        email = Email.objects.filter(pk=options["email"]).first()
        if email is None:
            raise DeskError(f"email {options['email']} does not exist")
        request_redraft(email=email)
        if not write_drafts(ids=[email.pk]):
            error = DraftJob.objects.get(email=email).error
            raise DeskError(error or "another process is drafting this reply")
        draft = email.drafts.order_by("-pk").first()
        self.stdout.write(draft.body or "No article answers this email.")
        for source in draft.sources.all():
            self.stdout.write(f"[{source.number}] {source.title} ({source.score:.2f}): {source.quote}")
