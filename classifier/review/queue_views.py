"""The settings of the queues and the thresholds that fill them."""

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from classifier.models import Department, ReviewQueue
from classifier.review import queues as services
from reviewdesk.forms import checked
from reviewdesk.people.access import DeskRequest, for_roles
from reviewdesk.people.models import ADMIN, REVIEWER, User


def _reviewers():
    return User.objects.filter(is_active=True, groups__name__in=[REVIEWER, ADMIN]).distinct().order_by("username")


class QueueForm(forms.ModelForm):
    class Meta:
        model = ReviewQueue
        fields = [*services.SETTINGS, "departments", "people"]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["people"].queryset = _reviewers()  # type: ignore[attr-defined]


class ThresholdForm(forms.Form):
    """Empty: the desk's own."""

    threshold = forms.FloatField(min_value=0, max_value=1, required=False)


@for_roles(ADMIN)
def queues(request: DeskRequest) -> HttpResponse:
    departments = list(Department.objects.filter(active=True))
    counts = services.open_counts(request.user)
    context = {
        "queues": [(queue, counts.get(queue.source, 0)) for queue in services.queues()],
        "orders": ReviewQueue.Order.choices,
        "departments": departments,
        "reviewers": _reviewers(),
        "previews": services.previews(departments),
        "default_threshold": settings.REVIEW_THRESHOLD,
        "default_minutes": settings.LEASE_SECONDS // 60,
    }
    return render(request, "classifier/queues.html", context)


@require_POST
@for_roles(ADMIN)
def queue_change(request: DeskRequest, source: str) -> HttpResponse:
    fields = checked(QueueForm(request.POST))
    queue = services.change_queue(source=source, by=request.user, **fields)
    messages.info(request, f"{queue}: saved.")
    return redirect("queues")


@for_roles(ADMIN)
def threshold_preview(request: DeskRequest, pk: int) -> HttpResponse:
    """How much of last week's mail a threshold would send to review."""
    given = checked(ThresholdForm(request.GET))["threshold"]
    found = services.preview(
        department=get_object_or_404(Department, pk=pk),
        threshold=settings.REVIEW_THRESHOLD if given is None else given,
    )
    return render(request, "classifier/_threshold_preview.html", {"preview": found})


@require_POST
@for_roles(ADMIN)
def threshold_set(request: DeskRequest, pk: int) -> HttpResponse:
    department = get_object_or_404(Department, pk=pk)
    services.set_threshold(department=department, by=request.user, **checked(ThresholdForm(request.POST)))
    messages.info(request, f"{department}: saved; it holds for mail classified from now on.")
    return redirect("queues")
