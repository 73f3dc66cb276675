"""The settings page of the taxonomy: departments, their subtypes, guidelines and examples."""

from django import forms
from django.contrib import messages
from django.db.models import Count, Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from classifier import taxonomy_changes as changes
from classifier.models import Department, EmailType, Subtype
from reviewdesk.errors import DeskError
from reviewdesk.forms import as_key, checked
from reviewdesk.people.access import DeskRequest, for_roles
from reviewdesk.people.models import ADMIN


class DepartmentForm(forms.Form):
    name = forms.CharField(max_length=80)


class ChangeDepartmentForm(DepartmentForm):
    active = forms.BooleanField(required=False)


class SubtypeForm(forms.Form):
    name = forms.CharField(max_length=100)
    guideline = forms.CharField(max_length=2_000, required=False)
    examples = forms.CharField(max_length=50_000, required=False)


class NewSubtypeForm(SubtypeForm):
    type = forms.ChoiceField(choices=EmailType.choices)


class MergeForm(forms.Form):
    """`shown`: the target whose effect the person saw."""

    into = forms.ModelChoiceField(Subtype.objects.filter(active=True).select_related("department"))
    shown = forms.IntegerField()
    reason = forms.CharField(max_length=300)


@for_roles(ADMIN)
def taxonomy(request: DeskRequest) -> HttpResponse:
    counted = Department.objects.annotate(n=Count("subtypes", filter=Q(subtypes__active=True)))
    return render(request, "classifier/taxonomy.html", {"departments": counted.order_by("-active", "name")})


@require_POST
@for_roles(ADMIN)
def department_add(request: DeskRequest) -> HttpResponse:
    department = changes.add_department(by=request.user, **checked(DepartmentForm(request.POST)))
    messages.info(request, f"{department} added; give it subtypes, each with a few example emails.")
    return redirect("taxonomy-department", department.pk)


@for_roles(ADMIN)
def department(request: DeskRequest, pk: int) -> HttpResponse:
    department = get_object_or_404(Department, pk=pk)
    subtypes = department.subtypes.select_related("merged_into").order_by("-active", "type", "name")
    others = Department.objects.filter(active=True).exclude(pk=pk)
    context = {"department": department, "subtypes": subtypes, "types": EmailType.choices, "others": others}
    return render(request, "classifier/taxonomy_department.html", context)


@require_POST
@for_roles(ADMIN)
def department_change(request: DeskRequest, pk: int) -> HttpResponse:
    department = get_object_or_404(Department, pk=pk)
    changes.change_department(department=department, by=request.user, **checked(ChangeDepartmentForm(request.POST)))
    messages.info(request, "Saved.")
    return redirect("taxonomy-department", pk)


@require_POST
@for_roles(ADMIN)
def subtype_add(request: DeskRequest, pk: int) -> HttpResponse:
    department = get_object_or_404(Department, pk=pk)
    subtype = changes.add_subtype(department=department, by=request.user, **checked(NewSubtypeForm(request.POST)))
    messages.info(request, f"{subtype} added; new mail can get it within seconds.")
    return redirect("taxonomy-department", pk)


def _subtype(pk: int) -> Subtype:
    return get_object_or_404(Subtype.objects.select_related("department"), pk=pk)


@require_POST
@for_roles(ADMIN)
def subtype_change(request: DeskRequest, pk: int) -> HttpResponse:
    subtype = _subtype(pk)
    changes.change_subtype(subtype=subtype, by=request.user, **checked(SubtypeForm(request.POST)))
    messages.info(request, f"{subtype}: saved.")
    return redirect("taxonomy-department", subtype.department_id)


@for_roles(ADMIN)
def subtype_effect(request: DeskRequest, pk: int) -> HttpResponse:
    """What retiring or merging a subtype would do."""
    subtype = _subtype(pk)
    others = subtype.department.subtypes.filter(active=True).exclude(pk=pk).order_by("type", "name")
    context = {"subtype": subtype, "effect": changes.effect_of(subtype), "others": others}
    return render(request, "classifier/_subtype_effect.html", context)


@for_roles(ADMIN)
def subtype_merge_effect(request: DeskRequest, pk: int) -> HttpResponse:
    """What merging a subtype into another would change, with the button that does it."""
    subtype = _subtype(pk)
    into = subtype.department.subtypes.filter(active=True, pk=as_key(request.GET.get("into", "")) or 0).first()
    effect = changes.merge_effect(subtype=subtype, into=into) if into else None
    return render(request, "classifier/_merge_effect.html", {"subtype": subtype, "into": into, "effect": effect})


@require_POST
@for_roles(ADMIN)
def subtype_retire(request: DeskRequest, pk: int) -> HttpResponse:
    subtype = _subtype(pk)
    changes.retire_subtype(subtype=subtype, by=request.user)
    messages.info(request, f"{subtype} is out of use.")
    return redirect("taxonomy-department", subtype.department_id)


@require_POST
@for_roles(ADMIN)
def subtype_restore(request: DeskRequest, pk: int) -> HttpResponse:
    subtype = _subtype(pk)
    returned = changes.restore_subtype(subtype=subtype, by=request.user)
    back = f"; {returned} email{'' if returned == 1 else 's'} came back" if returned else ""
    messages.info(request, f"{subtype} is in use again{back}.")
    return redirect("taxonomy-department", subtype.department_id)


@require_POST
@for_roles(ADMIN)
def subtype_merge(request: DeskRequest, pk: int) -> HttpResponse:
    subtype, fields = _subtype(pk), checked(MergeForm(request.POST))
    if fields.pop("shown") != fields["into"].pk:
        raise DeskError("The page showed the effect of another merge. Choose the target again.")
    moved = changes.merge_subtype(subtype=subtype, by=request.user, **fields)
    emails = moved.verified + moved.predicted
    messages.info(request, f"{subtype} is part of {fields['into']} now; {emails} emails moved. Its row has the undo.")
    return redirect("taxonomy-department", subtype.department_id)
