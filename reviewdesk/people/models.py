"""Users, and the tokens that let programs act for them."""

from django.contrib.auth.models import AbstractUser
from django.db import models

AGENT, REVIEWER, ADMIN = "agent", "reviewer", "admin"
ROLES = (AGENT, REVIEWER, ADMIN)


class User(AbstractUser):
    """A person at the desk; roles are Django groups of the names in ROLES."""

    def __str__(self) -> str:
        return self.get_full_name() or self.username

    @property
    def roles(self) -> frozenset[str]:
        """The roles held; an admin (or superuser) holds every role. Read once a request."""
        if not hasattr(self, "_roles"):
            self.in_groups(set(self.groups.values_list("name", flat=True)))
        return self._roles

    def in_groups(self, names: set[str]) -> None:
        """Let the roles follow from these groups."""
        self._roles = frozenset(ROLES if ADMIN in names or self.is_superuser else names & set(ROLES))


class ApiToken(models.Model):
    """A bearer token; only its SHA-256 is kept."""

    user = models.ForeignKey(User, models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=80, blank=True)
    digest = models.CharField(max_length=64, unique=True)
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.user.username}: {self.name or 'token'}"
