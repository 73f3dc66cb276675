"""Makes tokens and finds their owner."""

import secrets
from datetime import timedelta
from hashlib import sha256

from django.utils import timezone

from reviewdesk.errors import DeskError
from reviewdesk.people.models import ApiToken, User

SCOPES = ("classify", "emails", "review", "drafts", "exports", "models", "experiments")
PREFIX = "rvd_"


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
    """The live token of an active user, or None; its last use is noted once a minute."""
    now = timezone.now()
    found = ApiToken.objects.select_related("user").filter(digest=_digest(token), expires_at__gt=now).first()
    if found is None or not found.user.is_active:
        return None
    if found.last_used_at is None or now - found.last_used_at > timedelta(minutes=1):
        ApiToken.objects.filter(pk=found.pk).update(last_used_at=now)
    return found


def _digest(token: str) -> str:
    return sha256(token.encode()).hexdigest()
