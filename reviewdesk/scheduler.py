"""Celery's scheduler, which goes on where its file cannot be written."""

import dbm
import logging

from celery.beat import PersistentScheduler

from reviewdesk.trouble import Trouble

logger = logging.getLogger(__name__)
trouble = Trouble(logger, over="The scheduler's file is written again.")


class Scheduler(PersistentScheduler):
    def sync(self) -> None:
        """On a full disk the times of the last runs stay in memory, and are written once there is room."""
        try:
            super().sync()
        except (OSError, *dbm.error) as error:
            trouble.report(f"The scheduler's file is not written: {error}")
        else:
            trouble.over()
