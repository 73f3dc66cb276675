"""Makes tokens and finds their owner."""

import secrets
from datetime import timedelta
from hashlib import sha256

from django.core.cache import cache
from django.utils import timezone

from reviewdesk.backends import enqueue
from reviewdesk.errors import DeskError
from reviewdesk.people.models import ApiToken, User

SCOPES = ("classify", "emails", "review", "drafts", "exports", "models", "experiments")
PREFIX = "rvd_"
USE_NOTED = timedelta(hours=1)


def create_token(*, user: User, name: str = "", scopes: list[str] | None = None, days: int = 90) -> str:
    """Store a token's digest and return the token itself, which is shown this once."""
    if unknown := set(scopes or []) - set(SCOPES):
        raise DeskError(f"scopes {', '.join(sorted(unknown))} are unknown; allowed: {', '.join(SCOPES)}")
    if days < 1:
        raise DeskError(f"days is {days}; allowed: 1 or more")
    token = PREFIX + secrets.token_urlsafe(32)
    expires = timezone.now() + timedelta(days=days)
    ApiToken.objects.create(
        user=user, name=name, digest=_digest(token), scopes=scopes or list(SCOPES), expires_at=expires
    )
    return token


def use_token(token: str) -> ApiToken | None:
    """The live token of an active user, or None. A worker notes its last use, once an hour: a request that only reads
    must not wait for the database to be free."""
    now = timezone.now()
    found = ApiToken.objects.select_related("user").filter(digest=_digest(token), expires_at__gt=now).first()
    if found is None or not found.user.is_active:
        return None
    stale = found.last_used_at is None or now - found.last_used_at > USE_NOTED
    if stale and cache.add(f"token-used-{found.pk}", True, USE_NOTED.total_seconds()):
        enqueue("people.note_token_used", found.pk)
    return found


def note_token_used(*, token: int) -> None:
    ApiToken.objects.filter(pk=token).update(last_used_at=timezone.now())


def _digest(token: str) -> str:
    return sha256(token.encode()).hexdigest()
