"""Pages about the reviewing itself: progress, agreement, and the disagreements that somebody must decide."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from classifier.models import Disagreement, Subtype
from classifier.review import agreeing
from classifier.review.agreement import open_disagreements, recent_decisions, report
from classifier.review.forms import DecisionForm
from classifier.review.progress import progress
from reviewdesk.backends import enqueue
from reviewdesk.charts import bar_chart
from reviewdesk.forms import checked
from reviewdesk.people.access import DeskRequest, for_roles
from reviewdesk.people.models import ADMIN, REVIEWER


@for_roles(REVIEWER)
def review_progress(request: DeskRequest) -> HttpResponse:
    found = progress(request.user)
    bars = [(f"{week:%d %b}", found.answered(week), found.said(week)) for week in found.weeks]
    chart = bar_chart("Emails answered a week", bars, y_label="emails")
    return render(request, "classifier/progress.html", {"progress": found, "chart": chart})


@for_roles(ADMIN)
def review_agreement(request: DeskRequest) -> HttpResponse:
    return render(request, "classifier/agreement.html", {"report": report()})


@for_roles(ADMIN)
def disagreements(request: DeskRequest) -> HttpResponse:
    waiting = open_disagreements()
    departments = {w.disagreement.email.department_id for w in waiting}
    subtypes = Subtype.objects.filter(department__in=departments, active=True).order_by("type", "name")
    context = {
        "waiting": waiting,
        "subtypes": subtypes,
        "decided": recent_decisions(),
        "count": Disagreement.objects.filter(settled_by=None).count(),
    }
    return render(request, "classifier/disagreements.html", context)


@require_POST
@for_roles(ADMIN)
def second_looks(request: DeskRequest) -> HttpResponse:
    """Look for labels that may be wrong; a worker does."""
    enqueue("classifier.open_second_looks")
    messages.info(request, "Suspected labels will stand in the queue “Second look” in a moment.")
    return redirect("disagreements")


@require_POST
@for_roles(ADMIN)
def disagreement_decide(request: DeskRequest, pk: int) -> HttpResponse:
    disagreement = get_object_or_404(Disagreement.objects.select_related("email"), pk=pk)
    agreeing.adjudicate(disagreement=disagreement, user=request.user, **checked(DecisionForm(request.POST)))
    messages.info(request, "Decided. It can be undone below for a day.")
    return redirect("disagreements")


@require_POST
@for_roles(ADMIN)
def disagreement_undo(request: DeskRequest, pk: int) -> HttpResponse:
    agreeing.undo_decision(disagreement=get_object_or_404(Disagreement, pk=pk), user=request.user)
    messages.info(request, "Taken back; it waits for a decision again.")
    return redirect("disagreements")
