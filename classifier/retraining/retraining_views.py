"""The retraining pages: what calls for one, the runs with their verdicts, one of them alone, and its data set."""

from pathlib import Path

from django import forms
from django.contrib import messages
from django.db.models import Count
from django.http import FileResponse, Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from classifier.models import DataSet, Email, Export, Retraining, RetrainingPlan, Source
from classifier.registry import presenting as runs_presenting
from classifier.registry import runs
from classifier.retraining import exports, pipeline, presenting, triggers
from classifier.retraining.datasets import file_of
from classifier.retraining.gold import gold_check
from reviewdesk.audit.services import record
from reviewdesk.forms import checked
from reviewdesk.people.access import DeskRequest, for_roles
from reviewdesk.people.models import ADMIN

SHOWN = 12


class ReasonForm(forms.Form):
    reason = forms.CharField(max_length=300, required=False)


class PlanForm(forms.ModelForm):
    class Meta:
        model = RetrainingPlan
        fields = ["automatic", "promotes", "gain", "frozen"]


@for_roles(ADMIN)
def retraining(request: DeskRequest) -> HttpResponse:
    labelled = Email.objects.filter(verification__isnull=False)
    counts = dict(labelled.values_list("verification__source").annotate(n=Count("pk")).order_by())
    found = list(Retraining.objects.select_related("run__version", "run__user", "data_set")[:SHOWN])
    context = {
        "retrainings": found,
        "going": next((r for r in found if r.run.active), None),
        "chart": presenting.gains(found, pipeline.plan().gain),
        "plan": pipeline.plan(),
        "gold": gold_check(),
        "fresh": pipeline.new_labels(),
        "least_new": pipeline.LEAST_NEW,
        "latest_set": pipeline.latest_data_set(),
        "triggers": triggers.latest(),
        "history": triggers.history(),
        "sources": [(label, counts.get(value, 0)) for value, label in Source.choices],
        "total": sum(counts.values()),
        "formats": Export.Format.choices,
        "exports": Export.objects.select_related("created_by")[: exports.KEPT],
    }
    return render(request, "classifier/retraining.html", context)


@require_POST
@for_roles(ADMIN)
def retrain(request: DeskRequest) -> HttpResponse:
    found = pipeline.ask_for_retraining(by=request.user, **checked(ReasonForm(request.POST)))
    messages.info(request, f"{found} waits for its turn; it starts within seconds.")
    return redirect("retraining-run", found.pk)


@for_roles(ADMIN)
def retraining_run(request: DeskRequest, pk: int) -> HttpResponse:
    """One retraining with its progress, data set, comparison and verdict; asks again by itself while it goes."""
    found = get_object_or_404(
        Retraining.objects.select_related("run__user", "run__version", "data_set__parent", "compared_with"), pk=pk
    )
    run = found.run
    context = {
        "retraining": found,
        "run": run,
        "log": runs.log_tail(run),
        "bars": presenting.pair_bars(found.comparison),
        "lineage": presenting.lineage(found.data_set),
        **runs_presenting.run_figures(run),
    }
    template = "classifier/_retraining_panel.html" if request.htmx else "classifier/retraining_run.html"
    return render(request, template, context)


@require_POST
@for_roles(ADMIN)
def retraining_promote(request: DeskRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(Retraining.objects.select_related("run__version"), pk=pk)
    pipeline.promote_by_hand(retraining=found, by=request.user, **checked(ReasonForm(request.POST)))
    messages.info(request, f"{found.run.version} serves from now on; every process changes over within seconds.")
    return redirect("retraining-run", pk)


@require_POST
@for_roles(ADMIN)
def retraining_cancel(request: DeskRequest, pk: int) -> HttpResponse:
    runs.cancel(run=get_object_or_404(Retraining, pk=pk).run, by=request.user)
    return redirect("retraining-run", pk)


@require_POST
@for_roles(ADMIN)
def retraining_plan(request: DeskRequest) -> HttpResponse:
    form = PlanForm(request.POST, instance=RetrainingPlan.objects.first())
    rules = checked(form)
    record(action="change retraining", target=form.save(), actor=request.user, **rules)
    messages.info(request, "Saved; it holds for the next retraining.")
    return redirect("retraining")


@for_roles(ADMIN)
def data_set_download(request: DeskRequest, pk: int) -> HttpResponseBase:
    """The rows of a data set, as JSON lines, gzipped."""
    data_set = get_object_or_404(DataSet, pk=pk)
    path: Path = file_of(data_set)
    if not path.is_file():
        raise Http404("The file of this data set is gone.")
    return FileResponse(path.open("rb"), as_attachment=True, filename=f"dataset-{data_set}.jsonl.gz")


@require_POST
@for_roles(ADMIN)
def triggers_check(request: DeskRequest) -> HttpResponse:
    """Read the triggers now instead of at the scheduler's next turn."""
    fired = sum(reading.fired for reading in triggers.check_triggers())
    messages.info(request, f"{fired} of them call for a retraining." if fired else "Nothing calls for a retraining.")
    return redirect("retraining")
