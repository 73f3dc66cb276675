"""The settings page of the people."""

from django import forms
from django.contrib import messages
from django.contrib.auth.views import PasswordResetConfirmView
from django.db.models import Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse_lazy
from django.views.decorators.http import require_POST

from classifier.models import Department
from reviewdesk import accounts
from reviewdesk.forms import checked
from reviewdesk.people.access import DeskRequest, for_roles
from reviewdesk.people.models import ADMIN, ROLES, User


class PersonForm(forms.Form):
    name = forms.CharField(max_length=150, required=False)
    email = forms.EmailField(required=False)
    roles = forms.MultipleChoiceField(choices=[(r, r) for r in ROLES], required=False)
    departments = forms.ModelMultipleChoiceField(Department.objects.all(), required=False)


class InviteForm(PersonForm):
    username = forms.CharField(max_length=150)


class ActiveForm(forms.Form):
    active = forms.BooleanField(required=False)


class SetPassword(PasswordResetConfirmView):
    """The page that an invitation and a reset lead to."""

    template_name = "people/set_password.html"
    success_url = reverse_lazy("login")
    post_reset_login = False


@for_roles(ADMIN)
def people(request: DeskRequest) -> HttpResponse:
    return render(request, "reviewdesk/people.html", _people())


def _people(**more: object) -> dict:
    found = User.objects.prefetch_related("groups", "departments").order_by("-is_active", "username")
    rows = [(u, {g.name for g in u.groups.all()} | ({ADMIN} if u.is_superuser else set())) for u in found]
    return {"people": rows, "roles": ROLES, "departments": _offered(), **more}


def _offered() -> QuerySet[Department]:
    """The departments in use, and those out of use that still list somebody: saved without them, such a person would
    be listed nowhere, which lets them see everything."""
    return Department.objects.filter(Q(active=True) | Q(people__isnull=False)).distinct()


@require_POST
@for_roles(ADMIN)
def person_invite(request: DeskRequest) -> HttpResponse:
    return _with_link(request, accounts.invite(by=request.user, **checked(InviteForm(request.POST))))


def _with_link(request: DeskRequest, user: User) -> HttpResponse:
    """The page once more, with the link to hand over; it is not shown again."""
    link = request.build_absolute_uri(accounts.password_link(user))
    accounts.send_password_link(user=user, address=link, by=request.user)
    return render(request, "reviewdesk/people.html", _people(link=link, linked=user))


@require_POST
@for_roles(ADMIN)
def person_link(request: DeskRequest, pk: int) -> HttpResponse:
    """A link to set a new password by; the old one works until it is used."""
    return _with_link(request, get_object_or_404(User, pk=pk, is_active=True))


@require_POST
@for_roles(ADMIN)
def person_change(request: DeskRequest, pk: int) -> HttpResponse:
    user = get_object_or_404(User, pk=pk)
    accounts.change_person(user=user, by=request.user, **checked(PersonForm(request.POST)))
    messages.info(request, f"{user}: saved.")
    return redirect("people")


@require_POST
@for_roles(ADMIN)
def person_active(request: DeskRequest, pk: int) -> HttpResponse:
    user = get_object_or_404(User, pk=pk)
    active = checked(ActiveForm(request.POST))["active"]
    accounts.set_active(user=user, active=active, by=request.user)
    messages.info(request, f"{user} {'may log in again' if active else 'can no longer log in'}.")
    return redirect("people")
