"""Sends due replies, every few seconds."""

from celery import shared_task

from responses.sending import services


@shared_task(name="responses.send_due")
def send_due() -> None:
    services.send_due()
