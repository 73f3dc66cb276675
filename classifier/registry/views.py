"""The models pages: versions and what served when, a report, two reports side by side, training runs."""

from django.contrib import messages
from django.http import FileResponse, Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from classifier.models import ModelVersion, TrainingRun
from classifier.registry import presenting, promotion, queries, runs, services
from classifier.registry.forms import AccuracyForm, CompareForm, PromoteForm, RollBackForm, TrainForm
from reviewdesk.errors import DeskError
from reviewdesk.forms import checked
from reviewdesk.people.access import DeskRequest, for_roles
from reviewdesk.people.models import ADMIN

SHOWN = 12
WANTED_ACCURACIES = (0.85, 0.9, 0.95, 0.98)
MOVES = {"test": services.set_testing, "archive": services.archive, "restore": services.restore}


@for_roles(ADMIN)
def models(request: DeskRequest) -> HttpResponse:
    return render(request, "classifier/models.html", _models(TrainForm()))


def _models(form: TrainForm) -> dict:
    return {
        "versions": queries.versions(),
        "aliases": queries.aliases(),
        "periods": queries.periods()[:SHOWN],
        "runs": TrainingRun.objects.select_related("user", "version")[:SHOWN],
        **_comparable(),
        "form": form,
    }


def _comparable() -> dict:
    """The latest reports, and the two that one most likely wants to see beside each other."""
    evaluations = list(queries.evaluations())
    newest = evaluations[0] if evaluations else None
    others = [e for e in evaluations if newest and e.version_id != newest.version_id]
    same = [e for e in others if newest and e.measured_on == newest.measured_on]
    return {"evaluations": evaluations, "first": next(iter(same or others), newest), "second": newest}


@for_roles(ADMIN)
def model(request: DeskRequest, version: str) -> HttpResponse:
    """One version: its latest report (or the one asked for), thresholds, and where it comes from."""
    found = get_object_or_404(ModelVersion, version=version)
    reports = found.evaluations.all()[:SHOWN]
    asked = request.GET.get("report", "")
    evaluation = (
        get_object_or_404(found.evaluations, pk=asked) if asked.isdecimal() and asked.isascii() else reports.first()
    )
    context = {"version": found, "evaluations": reports, "evaluation": evaluation, **_thresholds(request, found)}
    if evaluation and presenting.whole(evaluation.report):
        context["report"] = evaluation.report
        context["charts"] = presenting.report_charts([(found.version, evaluation.report)])
        context["type_matrix"] = presenting.matrix(evaluation.report["type"]["confusion"])
    context["history_charts"] = presenting.history_charts(found.manifest.get("notes", {}).get("history", []))
    return render(request, "classifier/model.html", context)


def _thresholds(request: DeskRequest, version: ModelVersion) -> dict:
    form = AccuracyForm(request.GET) if "accuracy" in request.GET else None
    wanted = form.cleaned_data["accuracy"] if form and form.is_valid() else 0.9
    try:
        choices = queries.threshold_choices(version, wanted)
    except DeskError as error:
        return {"threshold_error": error.message, "wanted": wanted}
    return {"choices": choices, "wanted": wanted, "wanted_accuracies": WANTED_ACCURACIES}


@require_POST
@for_roles(ADMIN)
def apply_thresholds(request: DeskRequest, version: str) -> HttpResponse:
    """Give each department the threshold that reaches the wanted accuracy on the model's validation rows."""
    wanted = checked(AccuracyForm(request.POST))["accuracy"]
    choices = queries.threshold_choices(queries.find_version(version), wanted)
    found = {c["department"].slug: c["found"].threshold for c in choices if c["found"]}
    changed = services.set_thresholds(thresholds=found, by=request.user)
    messages.info(request, f"{changed} threshold{'' if changed == 1 else 's'} changed; new emails follow them.")
    return redirect("model", version)


@for_roles(ADMIN)
def compare(request: DeskRequest) -> HttpResponse:
    """Two reports side by side."""
    pair = checked(CompareForm(request.GET))
    a, b = pair["a"], pair["b"]
    if not presenting.whole(a.report) or not presenting.whole(b.report):
        raise DeskError("One of the reports is of an older version; run manage.py evaluate for it again.")
    context = {"a": a, "b": b, **presenting.comparison(a, b)}
    return render(request, "classifier/compare_models.html", context)


@for_roles(ADMIN)
def promote_model(request: DeskRequest, version: str) -> HttpResponse:
    """What a promotion would change; by POST it is done, with a reason."""
    model = get_object_or_404(ModelVersion, version=version)
    if request.method != "POST":
        return render(request, "classifier/promote_model.html", {"check": promotion.check_promotion(model)})
    promotion.promote_by_person(version=model, by=request.user, **checked(PromoteForm(request.POST)))
    messages.info(request, f"{version} serves from now on; every process changes over within seconds.")
    return redirect("models")


@require_POST
@for_roles(ADMIN)
def roll_back_model(request: DeskRequest) -> HttpResponse:
    version = services.roll_back(by=request.user, **checked(RollBackForm(request.POST)))
    messages.info(request, f"{version} serves again; every process changes over within seconds.")
    return redirect("models")


@require_POST
@for_roles(ADMIN)
def move_model(request: DeskRequest, version: str, move: str) -> HttpResponse:
    """Mark a version as under test, archived, or a candidate again."""
    MOVES[move](version=queries.find_version(version), by=request.user)
    return redirect("models")


@require_POST
@for_roles(ADMIN)
def train_model(request: DeskRequest) -> HttpResponse:
    form = TrainForm(request.POST, request.FILES)
    if form.is_valid():
        fields = form.cleaned_data
        try:
            run = runs.ask_for_run(name=fields["name"], options=form.options(), file=fields["file"], by=request.user)
        except DeskError as error:
            form.add_error("name", error.message)
        else:
            return redirect("training-run", run.pk)
    return render(request, "classifier/models.html", _models(form), status=400)


@for_roles(ADMIN)
def training_run(request: DeskRequest, pk: int) -> HttpResponse:
    """A run with its progress, curves and log; the panel asks again by itself while it goes."""
    run = get_object_or_404(TrainingRun.objects.select_related("user", "version"), pk=pk)
    template = "classifier/_run_panel.html" if request.htmx else "classifier/run.html"
    context = {"run": run, "log": runs.log_tail(run), **presenting.run_figures(run)}
    return render(request, template, context)


@for_roles(ADMIN)
def training_log(request: DeskRequest, pk: int) -> FileResponse:
    """All that the process of a run printed."""
    run = get_object_or_404(TrainingRun, pk=pk)
    file = runs.log_file(run)
    if not file.is_file():
        raise Http404("This run has printed nothing.")
    return FileResponse(file.open("rb"), content_type="text/plain; charset=utf-8", filename=f"{run.name}.log")


@require_POST
@for_roles(ADMIN)
def cancel_run(request: DeskRequest, pk: int) -> HttpResponse:
    runs.cancel(run=get_object_or_404(TrainingRun, pk=pk), by=request.user)
    return redirect("training-run", pk)
