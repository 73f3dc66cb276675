"""The pages of tests between model versions."""

import csv
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from abtests import lifecycle
from abtests.health import DEFAULTS
from abtests.models import Experiment
from abtests.planning import USUAL_DISAGREEMENT, usual_plan
from abtests.reports import figures, headline, report, result
from abtests.rollout import hold
from abtests.statistics import pair_evidence
from classifier.models import Department, ModelVersion
from classifier.registry.queries import aliases
from reviewdesk.audit.models import AuditEvent
from reviewdesk.csv_cells import csv_cells
from reviewdesk.experiments import rollout, watching
from reviewdesk.experiments import services as desk
from reviewdesk.experiments.forms import (
    GUARDRAILS,
    ExperimentForm,
    HoldForm,
    PlanForm,
    ReasonForm,
    SplitForm,
    as_shares,
)
from reviewdesk.experiments.presenting import effect_chart, flat
from reviewdesk.forms import checked
from reviewdesk.people.access import DeskRequest, for_roles
from reviewdesk.people.models import ADMIN

Status = Experiment.Status
SHOWN = 100


@for_roles(ADMIN)
def experiments(request: DeskRequest) -> HttpResponse:
    rows = [(e, *headline(e)) for e in Experiment.objects.all()[:SHOWN]]
    return render(request, "abtests/experiments.html", {"rows": rows, "can_make": _candidates().exists()})


def _candidates():
    return ModelVersion.objects.exclude(state__in=["production", "archived"]).order_by("-pk")


@for_roles(ADMIN)
def experiment_new(request: DeskRequest) -> HttpResponse:
    serving = aliases().get("production")
    context = {
        "control": serving,
        "candidates": _candidates(),
        "departments": Department.objects.filter(active=True),
        "modes": Experiment.Mode.choices,
        "units": Experiment.Unit.choices,
        "guardrails": [(name, label, step, DEFAULTS[name]) for name, label, step in GUARDRAILS],
        "disagreement": USUAL_DISAGREEMENT * 100,
        "plan": serving
        and desk.plan(mode="shadow", gain=0.02, share=0.1, weeks=4, departments=[], control=serving.version),
    }
    return render(request, "abtests/new.html", context)


@for_roles(ADMIN)
def experiment_plan(request: DeskRequest) -> HttpResponse:
    """How many labels and weeks the test takes, as the form stands now."""
    given = checked(PlanForm(request.GET))
    return render(request, "abtests/_plan.html", {"plan": desk.plan(**as_shares(given)), "mode": given["mode"]})


@require_POST
@for_roles(ADMIN)
def experiment_make(request: DeskRequest) -> HttpResponse:
    form = ExperimentForm(request.POST)
    given = checked(form)
    own = as_shares(given)
    desk.plan(**own)  # one that cannot be measured is refused before it is made
    experiment = lifecycle.create(
        by=request.user, name=given["name"], treatment=given["treatment"], unit=given["unit"] or Experiment.Unit.THREAD,
        starts_at=given["starts_at"], guardrails=form.guardrails(), **own,
    )  # fmt: skip
    messages.info(request, f"{experiment} is made." + (" It starts by itself." if experiment.starts_at else ""))
    return redirect("experiment", experiment.slug)


def _get(slug: str) -> Experiment:
    return get_object_or_404(Experiment, slug=slug)


@for_roles(ADMIN)
def experiment(request: DeskRequest, slug: str) -> HttpResponse:
    found = _get(slug)
    earlier = [report(found, phase) for phase in found.phases.order_by("-number")[1:]]  # type: ignore[attr-defined]
    ledger = AuditEvent.objects.filter(object_type="experiment", object_id=str(found.pk)).select_related("actor")
    return render(
        request, "abtests/experiment.html", _live(found) | {"earlier": earlier, "ledger": ledger.order_by("-pk")}
    )


@for_roles(ADMIN)
def experiment_live(request: DeskRequest, slug: str) -> HttpResponse:
    """The figures of the page, asked for again while it is open."""
    return render(request, "abtests/_live.html", _live(_get(slug)))


def _live(experiment: Experiment) -> dict[str, Any]:
    """`now` is what runs, `report` what the test has shown: of a rollout two phases, else one."""
    now = report(experiment)
    found = result(experiment, now)
    states = [check.state for check in now.checks]
    running = now.phase is not None and experiment.status == Status.RUNNING
    return {
        "experiment": experiment,
        "now": now,
        "report": found,
        "chart": effect_chart(found),
        "plan": None if now.phase else desk.plan_of(experiment),
        "mode": experiment.mode,
        "stages": rollout.stages(experiment, now),
        "gate": rollout.gate(now) if experiment.status == Status.ROLLOUT else None,
        "ends_at": watching.ends_at(experiment, now.phase) if running and now.phase else None,
        "evidence": pair_evidence(found.pairs.only_a, found.pairs.only_b) if found.pairs else None,
        "guards": {state: states.count(state) for state in ("holds", "broken")} | {"early": states.count("too early")},
        "split_labels": usual_plan(experiment.gain),
        "serving": aliases().get("production"),
    }


@for_roles(ADMIN)
def experiment_report(request: DeskRequest, slug: str, form: str) -> HttpResponse:
    """The whole report as JSON or CSV."""
    found = figures(_get(slug))
    if form == "json":
        response: HttpResponse = JsonResponse(found, json_dumps_params={"indent": 2, "ensure_ascii": False})
    else:
        response = HttpResponse(content_type="text/csv; charset=utf-8")
        writer = csv.writer(response)
        writer.writerow(["figure", "value"])
        writer.writerows(csv_cells(row) for row in flat(found))
    response["Content-Disposition"] = f'attachment; filename="{slug}.{form}"'
    return response


@require_POST
@for_roles(ADMIN)
def experiment_start(request: DeskRequest, slug: str) -> HttpResponse:
    desk.start(experiment=_get(slug), by=request.user)
    messages.info(request, "The test runs; new mail is in it from now on.")
    return redirect("experiment", slug)


@require_POST
@for_roles(ADMIN)
def experiment_end(request: DeskRequest, slug: str) -> HttpResponse:
    desk.end(experiment=_get(slug), by=request.user, **checked(ReasonForm(request.POST)))
    messages.info(request, "The test is over; A answers everything.")
    return redirect("experiment", slug)


@require_POST
@for_roles(ADMIN)
def experiment_split(request: DeskRequest, slug: str) -> HttpResponse:
    phase = desk.change_share(
        experiment=_get(slug), share=checked(SplitForm(request.POST))["share"] / 100, by=request.user
    )
    messages.info(
        request,
        f"B takes {phase.share:.0%} of new conversations; the figures begin anew, what was measured stays below.",
    )
    return redirect("experiment", slug)


@require_POST
@for_roles(ADMIN)
def experiment_rollout(request: DeskRequest, slug: str) -> HttpResponse:
    """The first stage, or the next one where the gate is open or there is a reason not to wait."""
    found, reason = _get(slug), checked(ReasonForm(request.POST))
    if found.status == Status.ROLLOUT:
        rollout.advance_if_open(experiment=found, by=request.user, **reason)
    else:
        rollout.begin_rollout(experiment=found, by=request.user, **reason)
    messages.info(request, "B serves the next share of the mail.")
    return redirect("experiment", slug)


@require_POST
@for_roles(ADMIN)
def experiment_hold(request: DeskRequest, slug: str) -> HttpResponse:
    held = checked(HoldForm(request.POST))["held"]
    hold(experiment=_get(slug), held=held, by=request.user)
    messages.info(request, "The rollout stays at its stage." if held else "The rollout goes on by itself.")
    return redirect("experiment", slug)


@require_POST
@for_roles(ADMIN)
def experiment_rollback(request: DeskRequest, slug: str) -> HttpResponse:
    rollout.roll_back(experiment=_get(slug), by=request.user, **checked(ReasonForm(request.POST)))
    messages.info(request, "Rolled back; what is in production answers everything.")
    return redirect("experiment", slug)
