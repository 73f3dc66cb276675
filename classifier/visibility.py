"""Which departments' mail a person may see: those that list them, or all where none does. Admins see all."""

from collections import defaultdict
from typing import TypeVar

from django.db.models import Model, QuerySet

from classifier.models import Department
from reviewdesk.backends import Remembered
from reviewdesk.people.models import ADMIN, User

M = TypeVar("M", bound=Model)


def _read() -> dict[int, list[int]]:
    """User id → the ids of their departments."""
    found: dict[int, list[int]] = defaultdict(list)
    for user, department in Department.people.through.objects.values_list("user_id", "department_id"):
        found[user].append(department)
    return dict(found)


limits = Remembered(_read, seconds=2.0)


def departments_of(user: User) -> list[int] | None:
    """Ids of the departments whose mail `user` may see; None for all."""
    return None if ADMIN in user.roles else limits.get().get(user.pk)


def sees(user: User, department_id: int) -> bool:
    """Whether `user` may see the mail of a department."""
    departments = departments_of(user)
    return departments is None or department_id in departments


def visible_departments(user: User) -> QuerySet[Department]:
    """The departments in use whose mail `user` may see."""
    return visible(Department.objects.filter(active=True), user, "pk")


def visible(found: QuerySet[M], user: User, path: str = "department") -> QuerySet[M]:
    """Of a queryset what `user` may see; `path` leads from a row to its department."""
    theirs = departments_of(user)
    return found if theirs is None else found.filter(**{f"{path}__in": theirs})
