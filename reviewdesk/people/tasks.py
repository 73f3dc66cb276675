"""What workers do about people."""

from celery import shared_task

from reviewdesk.people import services


@shared_task(name="people.note_token_used")
def note_token_used(token: int) -> None:
    services.note_token_used(token=token)
