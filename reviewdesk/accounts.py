"""People of the desk: invited, given roles, sent a link for a new password, deactivated."""

from collections.abc import Collection

from django.contrib.auth.models import Group
from django.contrib.auth.tokens import default_token_generator
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.core.exceptions import ValidationError
from django.core.mail import send_mail
from django.db import transaction
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from classifier.models import Department, ReviewItem
from classifier.visibility import limits
from reviewdesk.audit.services import record
from reviewdesk.errors import Conflict, DeskError
from reviewdesk.people.models import ADMIN, ROLES, User


def password_link(user: User) -> str:
    """The path of the page on which somebody sets a password; it works once, for three days."""
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    return reverse("password-set", args=[uid, default_token_generator.make_token(user)])


def invite(
    *, username: str, name: str, email: str, roles: Collection[str], by: User, departments: Collection[Department] = ()
) -> User:
    """Make an account without a password; without `departments` it sees the mail of all. Raises DeskError for a name that is taken or not allowed."""
    _check_roles(roles)
    try:
        UnicodeUsernameValidator()(username)
    except ValidationError as error:
        raise DeskError(f"{username!r}: {error.message}", fields={"username": [str(error.message)]}) from None
    if User.objects.filter(username__iexact=username).exists():
        raise DeskError(f"There is an account called {username!r} already.", fields={"username": ["is taken"]})
    with transaction.atomic():
        user = User(username=username, first_name=name[:150], email=email)
        user.set_unusable_password()
        user.save()
        _set_roles(user, roles)
        _set_departments(user, departments)
        record(
            action="invite", target=user, actor=by, username=username, roles=sorted(roles),
            departments=[d.slug for d in departments],
        )  # fmt: skip
    return user


def send_password_link(*, user: User, address: str, by: User) -> None:
    """Note that a link was made, and mail it where an address is known; `address` is the link in full."""
    record(action="password link", target=user, actor=by, mailed=bool(user.email))
    if user.email:
        text = f"Set your password for Reviewdesk here; the link works once, for three days:\n\n{address}\n"
        send_mail("Your Reviewdesk account", text, None, [user.email], fail_silently=True)


def change_person(
    *, user: User, name: str, email: str, roles: Collection[str], by: User, departments: Collection[Department] = ()
) -> None:
    """Raises Conflict where nobody would be an admin any more."""
    _check_roles(roles)
    with transaction.atomic():
        if ADMIN not in roles:
            _check_admin_left(user)
        before = sorted(user.groups.values_list("name", flat=True))
        User.objects.filter(pk=user.pk).update(first_name=name[:150], email=email)
        _set_roles(user, roles)
        _set_departments(user, departments)
        record(
            action="change person", target=user, actor=by, before=before, after=sorted(roles),
            departments=[d.slug for d in departments],
        )  # fmt: skip


def set_active(*, user: User, active: bool, by: User) -> None:
    """Let somebody in again, or no longer: what they hold in the review queue is free at once."""
    with transaction.atomic():
        if not active:
            if user.pk == by.pk:
                raise Conflict("You cannot deactivate your own account.", code="conflict")
            _check_admin_left(user)
            held = ReviewItem.objects.filter(holder=user, status=ReviewItem.Status.OPEN)
            held.update(holder=None, lease="", lease_until=None)
        User.objects.filter(pk=user.pk).update(is_active=active)
        record(action="activate" if active else "deactivate", target=user, actor=by)


def _check_roles(roles: Collection[str]) -> None:
    if unknown := set(roles) - set(ROLES):
        raise DeskError(f"roles {', '.join(sorted(unknown))} are unknown; allowed: {', '.join(ROLES)}")


def _set_roles(user: User, roles: Collection[str]) -> None:
    user.groups.set([Group.objects.get_or_create(name=role)[0] for role in roles])


def _set_departments(user: User, departments: Collection[Department]) -> None:
    user.departments.set(departments)  # type: ignore[attr-defined]
    limits.forget()
    transaction.on_commit(limits.forget)


def _check_admin_left(user: User) -> None:
    others = User.objects.filter(is_active=True, groups__name=ADMIN).exclude(pk=user.pk)
    if user.groups.filter(name=ADMIN).exists() and not others.exists():
        raise Conflict(f"{user} is the only admin; make somebody else one first.", code="conflict")
