"""Where Celery finds the replies' tasks."""

from responses.sending.tasks import send_due

__all__ = ["send_due"]
