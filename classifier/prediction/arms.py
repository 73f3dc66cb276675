"""Which model answers an email: the one in production, or the one that a running test asks for.

A test whose models cannot be had is marked unhealthy and its mail goes to production: nobody's email waits.
"""

import logging
from dataclasses import dataclass

from abtests.services import Seat, note_trouble, seat_of
from classifier.models import Email
from classifier.registry.queries import PRODUCTION, aliases
from classifier.registry.serving import Serving, serving
from classifier.registry.testing import version_under_test
from reviewdesk.errors import BackendError

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Turn:
    """Who answers an email, and who scores it unseen; `seat` is None outside of a test."""

    serving: Serving
    seat: Seat | None = None
    shadow: Serving | None = None


def turn_of(email: Email) -> Turn:
    current = serving()
    seat = seat_of(department=email.department.slug, thread=email.thread_id, customer=email.customer_id)
    if seat is None:
        return Turn(current)
    if current.version.version != seat.control:
        production = aliases().get(PRODUCTION)
        if production is not None and production.version == seat.control:
            return Turn(current)  # this process is a moment behind a promotion
        reason = f"{seat.control} is not in production, {current.version.version} is."
        note_trouble(phase=seat.phase, reason=reason)
        return Turn(current)
    try:
        if seat.shadow:
            return Turn(current, seat, version_under_test(seat.shadow))
        return Turn(current if seat.serves == seat.control else version_under_test(seat.serves), seat)
    except BackendError as error:
        note_trouble(phase=seat.phase, reason=f"Arm B fails to load, A answers its mail: {error.message}")
        return Turn(current)
