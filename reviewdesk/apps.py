"""App configuration of the composition root."""

from django.apps import AppConfig


class ReviewdeskConfig(AppConfig):
    name = "reviewdesk"

    def ready(self) -> None:
        import reviewdesk.celery  # noqa: F401  (tasks bind to the app)
        from reviewdesk import checks  # noqa: F401
