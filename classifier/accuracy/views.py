"""The accuracy page: the figure, its alerts, what stands beside it, and the emails behind each number."""

import csv
from datetime import timedelta

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from classifier.accuracy import alerts, sampling
from classifier.accuracy.emails import Filters, emails_behind
from classifier.accuracy.figures import FIGURES, SPANS
from classifier.accuracy.presenting import figure
from classifier.accuracy.queries import weeks
from classifier.models import SamplePlan
from classifier.visibility import sees
from reviewdesk.audit.services import record
from reviewdesk.csv_cells import csv_cells
from reviewdesk.forms import checked
from reviewdesk.people.access import DeskRequest, for_roles
from reviewdesk.people.models import ADMIN, REVIEWER

USUAL_DAYS = 28
TOP = ("weekly", "departments", "versions")


class PlanForm(forms.ModelForm):
    class Meta:
        model = SamplePlan
        fields = ["size", "design", "bar"]


class SpanForm(forms.Form):
    days = forms.TypedChoiceField(coerce=int, choices=[(d, d) for d in SPANS], required=False)


class MoreForm(forms.Form):
    after = forms.IntegerField(required=False)


def _days(request: DeskRequest) -> int:
    return checked(SpanForm(request.GET))["days"] or USUAL_DAYS


@for_roles(ADMIN, REVIEWER)
def accuracy(request: DeskRequest) -> HttpResponse:
    days, plan = _days(request), sampling.sample_plan()
    found = weeks(last=1)
    latest = found[0] if found else None
    figures = [figure(slug, days, plan.bar, request.user) for slug in FIGURES]
    context = {
        "latest": latest,
        "below": latest is not None and latest.subtype.value is not None and latest.subtype.value < plan.bar,
        "after": latest.draws[-1].pk if latest else None,
        "closes": latest and latest.draws[-1].created_at + timedelta(days=sampling.OPEN_DAYS),
        "plan": plan,
        "size": sampling.sample_size(),
        "alerts": [a for a in alerts.open_alerts() if a.department_id is None or sees(request.user, a.department_id)],
        "top": [f for f in figures if f.table.slug in TOP],
        "figures": [f for f in figures if f.table.slug not in TOP],
        "days": days,
        "spans": SPANS,
        "designs": SamplePlan.Design.choices,
    }
    return render(request, "classifier/accuracy.html", context)


@for_roles(ADMIN, REVIEWER)
def accuracy_table(request: DeskRequest, slug: str) -> HttpResponse:
    """A figure's table as CSV."""
    if slug not in FIGURES:
        raise Http404
    table = FIGURES[slug](_days(request), request.user)
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{slug}.csv"'
    writer = csv.writer(response)
    writer.writerow(table.columns)
    writer.writerows(csv_cells(row.cells) for row in table.rows)
    return response


@for_roles(ADMIN, REVIEWER)
def accuracy_emails(request: DeskRequest) -> HttpResponse:
    page = emails_behind(user=request.user, filters=checked(Filters(request.GET)))
    return render(request, "classifier/accuracy_emails.html", {"page": page})


@require_POST
@for_roles(ADMIN)
def sample_more(request: DeskRequest) -> HttpResponse:
    """The first sample of this week, or another round of the latest; once for each page that was looked at."""
    draw = sampling.draw_now(by=request.user, after=checked(MoreForm(request.POST))["after"])
    messages.info(request, f"{draw.size} of {draw.population} emails are drawn and wait in the review queue.")
    return redirect("accuracy")


@require_POST
@for_roles(ADMIN)
def sample_plan(request: DeskRequest) -> HttpResponse:
    form = PlanForm(request.POST, instance=SamplePlan.objects.first())
    checked(form)
    plan = form.save()
    record(
        action="change weekly sample", target=plan, actor=request.user, size=plan.size, design=plan.design, bar=plan.bar
    )
    messages.info(request, "Saved; it holds from the next draw on.")
    return redirect("accuracy")
