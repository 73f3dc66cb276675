"""A retraining from labels to verdict: asked for, done by its own process, and promoted where it passes the gate."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Count
from django.utils import timezone

from abtests.queries import active
from classifier.labels import confirmed
from classifier.models import (
    DataSet,
    Department,
    ModelAlias,
    ModelVersion,
    Retraining,
    RetrainingPlan,
    TrainingRun,
    TriggerReading,
    Verification,
)
from classifier.registry.building import train_version
from classifier.registry.newcomers import new_subtypes, revision
from classifier.registry.queries import PRODUCTION, folder_of
from classifier.registry.runs import Status, going, own
from classifier.registry.services import promote, verify
from classifier.registry.serving import load, production_version
from classifier.retraining.datasets import build_data_set, file_of, seen_by, text_key
from classifier.retraining.gate import LEAST_TEST, compare, rule
from classifier.retraining.gold import gold_check
from classifier.retraining.rows import latest_snapshot
from classifier.taxonomy_changes import targets
from ml.data import Example, read_examples
from ml.progress import Watch
from ml.splitting import TEST
from reviewdesk.audit.services import record
from reviewdesk.backends import enqueue
from reviewdesk.errors import Conflict, DeskError
from reviewdesk.people.models import User

Trigger, Decision = Retraining.Trigger, Retraining.Decision
REST = timedelta(days=7)  # between retrainings that nobody asked for
LEAST_NEW = 100  # labels since the last data set, below which a trigger waits
MONTHLY_HOUR = 2
MONTHLY_DAYS = 7  # in which a first of the month that was missed is made up for


def plan() -> RetrainingPlan:
    return RetrainingPlan.objects.first() or RetrainingPlan()


def latest_data_set() -> DataSet | None:
    """That of the latest retraining that came to a verdict; one that failed or was cancelled counts for nothing."""
    return DataSet.objects.exclude(retrainings=None).exclude(retrainings__decision="").first()


def new_labels() -> int:
    """Emails with an answer in force that the latest data set does not know."""
    latest = latest_data_set()
    answers = confirmed(Verification.objects.filter(pk__gt=latest.snapshot if latest else 0))
    return answers.aggregate(n=Count("email", distinct=True))["n"]


def ask_for_retraining(
    *, reason: str = "", by: User | None = None, trigger: str = Trigger.MANUAL, start: bool = True
) -> Retraining:
    """Queue a retraining; `start` where a process of its own shall do it, else the caller does.

    Raises Conflict while another is going, BackendError without a model in production, DeskError without labels, and
    where people contradict the labels that came with the mail, unless a person says why it shall be done all the same.
    """
    if not Verification.objects.filter(action=Verification.Action.CONFIRM).exists():
        raise DeskError("Nobody has labelled an email yet; there is nothing to train on.")
    check = gold_check()
    if check.broken and (trigger != Trigger.MANUAL or not reason.strip()):
        raise DeskError(f"{check.sentence} To retrain all the same, say why.", fields={"reason": ["is missing"]})
    production_version()
    options = {"frozen": plan().frozen}
    try:
        with transaction.atomic():
            run = TrainingRun.objects.create(kind=TrainingRun.Kind.RETRAIN, name=_free_name(), user=by, options=options)
            retraining = Retraining.objects.create(run=run, trigger=trigger, reason=reason[:300])
            record(action="retrain", target=retraining, actor=by, trigger=trigger, reason=reason, name=run.name)
            if start:
                enqueue("classifier.start_training")
    except IntegrityError:
        raise Conflict("A retraining is going already; wait for it, or cancel it.") from None
    return retraining


def _free_name() -> str:
    day = timezone.localdate()
    for n in range(1, 100):
        name = f"retrain-{day:%Y-%m-%d}" + (f"-{n}" if n > 1 else "")
        known = TrainingRun.objects.filter(name=name).exists() or ModelVersion.objects.filter(version=name).exists()
        if not known and not (settings.MODELS_DIR / name).exists():
            return name
    raise DeskError("A hundred retrainings were asked for today; go on tomorrow.")


def start_due(*, now: datetime | None = None) -> Retraining | None:
    """Ask for the retraining that is due by the calendar or by a trigger; None for none."""
    now = timezone.localtime(now)
    if not plan().automatic or going(TrainingRun.Kind.RETRAIN):
        return None
    last = Retraining.objects.first()
    trigger = _due(last.created_at if last else None, now)
    if trigger is None:
        return None
    try:
        return ask_for_retraining(trigger=trigger, reason=_reading(trigger))
    except DeskError:  # another process was quicker, or it is refused, which the page says
        return None


def _due(last: datetime | None, now: datetime) -> str | None:
    fresh = new_labels()
    first = now.replace(day=1, hour=MONTHLY_HOUR, minute=0, second=0, microsecond=0)
    if fresh and first <= now < first + timedelta(days=MONTHLY_DAYS) and (last is None or last < first):
        return Trigger.MONTHLY
    if fresh < LEAST_NEW or (last is not None and last > now - REST):
        return None
    fired = TriggerReading.objects.filter(fired=True, day__gte=now.date() - timedelta(days=1)).order_by("-day", "pk")
    return next((reading.trigger for reading in fired), None)


def _reading(trigger: str) -> str:
    reading = TriggerReading.objects.filter(trigger=trigger, fired=True).first()
    return reading.detail if reading else ""


def work(retraining: Retraining, *, options: dict, watch: Watch) -> Retraining:
    """Do a retraining whose run is this process's: data set, training, comparison, verdict; goes on where it stopped."""
    run = retraining.run
    if retraining.decision:  # an earlier attempt died after its verdict
        run.version = ModelVersion.objects.get(version=run.name)
        return retraining
    if retraining.data_set is None:
        parent = latest_data_set()
        data_set = build_data_set(
            snapshot=latest_snapshot(),
            production=production_version(),
            parent=parent if parent and file_of(parent).is_file() else None,
            watch=watch,
        )
        with transaction.atomic():  # for as short as can be: mail and reviews write too
            data_set.save()
            Retraining.objects.filter(pk=retraining.pk).update(data_set=data_set)
        retraining.data_set = data_set
    examples = read_examples(file_of(retraining.data_set))
    version = train_version(
        name=run.name,
        examples=examples,
        options={**options, "test": 0.0},  # the data set says which rows are held out
        trained_by=run.user.username if run.user else f"retraining, {retraining.get_trigger_display().lower()}",
        again=run.attempts > 1,
        watch=watch,
    )
    run.version = version
    _decide(retraining, version, [e for e in examples if e.split == TEST], watch)
    return retraining


def _decide(retraining: Retraining, version: ModelVersion, held_out: list[Example], watch: Watch) -> None:
    from ml.predictor import Predictor

    production, rules = production_version(), plan()
    seen = seen_by(production)
    known = (seen or set()) | _shown_to(production)
    rows = [e for e in held_out if text_key(e.department, e.subject, e.body) not in known]
    new = Predictor(folder_of(version), settings.CLASSIFIER_RUNTIME)
    found = compare(load(production).predictor, new, rows, folds=_folds(), watch=watch)
    ruling = rule(found, gain=rules.gain, least=LEAST_TEST)
    retraining.compared_with, retraining.comparison = production, found.figures if found.n else {}
    retraining.decision, retraining.sentence = ruling.decision, ruling.sentence
    if seen is None:
        retraining.sentence += f" What {production} was trained on is not known here; rows of it may be among these."
    verify(version)
    with transaction.atomic():
        if own(retraining.run).select_for_update().first() is None:
            raise Conflict("The run was cancelled.")
        if ruling.decision == Decision.PASSED and rules.promotes:
            _promote(retraining, version, production)
        retraining.save(update_fields=["compared_with", "comparison", "decision", "sentence"])
        record(
            action="decide retraining",
            target=retraining,
            actor=None,
            decision=retraining.decision,
            why=retraining.sentence,
        )
        own(retraining.run).update(status=Status.DONE, version=version, ended_at=timezone.now())


def _shown_to(version: ModelVersion) -> set[str]:
    """Keys of the texts that show a version the subtypes which it was not trained on."""
    shown = new_subtypes(revision(folder_of(version)))
    return {text_key(s.department, subject, body) for s in shown for subject, body in s.examples}


def _folds() -> dict[str, dict]:
    changed = targets.get()
    return {d.slug: changed[d.pk] for d in Department.objects.filter(pk__in=changed)}


def _promote(retraining: Retraining, version: ModelVersion, production: ModelVersion) -> None:
    """Let it serve, unless what it was compared with serves no more or a test has it as its control."""
    alias = ModelAlias.objects.select_for_update().select_related("version").get(name=PRODUCTION)
    tested = next((a.experiment.name for a in active.get()), None)
    if alias.version_id != production.pk:
        retraining.sentence += f" {alias.version} was promoted meanwhile, so nothing was changed."
    elif tested is not None:
        retraining.sentence += f" The test “{tested}” is going, so nothing was changed; promote it by hand after that."
    else:
        promote(version=version, reason=f"retraining: {retraining.sentence}", verified=True)
        retraining.decision = Decision.PROMOTED


def promote_by_hand(*, retraining: Retraining, reason: str, by: User) -> None:
    """Let the new model serve against or without the gate's word. Raises DeskError without a reason."""
    if not reason.strip():
        raise DeskError("Say why; it is kept with the promotion.", fields={"reason": ["is missing"]})
    version = retraining.run.version
    if version is None or retraining.run.status != Status.DONE:
        raise DeskError("This retraining has no model to promote.")
    if production_version() == version:
        raise Conflict(f"{version} serves already.")
    if tests := [found.experiment.name for found in active.get()]:
        raise Conflict(f"A test is running: {', '.join(tests)}. End it first, or insist on the page of the model.")
    verify(version)
    with transaction.atomic():
        promote(version=version, by=by, reason=reason, verified=True)
        Retraining.objects.filter(pk=retraining.pk).update(decision=Decision.BY_HAND)
        record(action="promote by hand", target=retraining, actor=by, reason=reason, gate=retraining.decision)
