"""A retraining from people's answers to promotion on real questions, and one from careless answers that is refused.

Banking77 as in `learning`: a model that saw 1,500 of the questions serves; people answer the others.
"""

import json
import logging
from pathlib import Path
from random import Random
from time import perf_counter

from django.core.management import call_command
from django.utils import timezone

from benchmarks.learning import DATA
from classifier.intake.parsed import ParsedEmail
from classifier.intake.services import BATCH, Intake
from classifier.models import Department, Email, ModelVersion, Retraining, Source, Subtype, Verification
from classifier.registry.services import promote
from ml.data import Example, read_examples

KNOWN = 1_500
CARELESS = 0.3  # of the answers are changed to a wrong one


def run(work: Path) -> list[tuple[str, str]]:
    logging.getLogger("reviewdesk.predictions").setLevel(logging.ERROR)
    questions = [e for part in ("train", "test") for e in read_examples(DATA / f"banking77_{part}.csv")]
    dice = Random(7)
    dice.shuffle(questions)
    subtypes = _taxonomy(questions)
    file = work / "few.jsonl"
    file.write_text("\n".join(json.dumps(e.as_row() | {"split": ""}) for e in questions[:KNOWN]))
    call_command("train", data=file, name="few", frozen=True, verbosity=0, stdout=_Quiet())
    promote(version=ModelVersion.objects.get(version="few"))
    emails = [_receive(questions[start : start + BATCH]) for start in range(KNOWN, len(questions), BATCH)]
    given = dict(pair for some in emails for pair in some)
    _answer(given, subtypes, Source.GOLD)
    rows = _retrain("all answers")
    wrong = {pk: dice.choice([*subtypes]) if dice.random() < CARELESS else label for pk, label in given.items()}
    _answer({pk: label for pk, label in wrong.items() if label != given[pk]}, subtypes, Source.SECOND_LOOK)
    return [*rows, *_retrain(f"{CARELESS:.0%} of the answers careless")]


class _Quiet:
    def write(self, text: str) -> None:
        pass


def _taxonomy(questions: list[Example]) -> dict[str, Subtype]:
    department, _ = Department.objects.get_or_create(slug=questions[0].department, defaults={"name": "Banking"})
    types = {e.subtype: e.type for e in questions}
    return {
        slug: Subtype.objects.get_or_create(department=department, slug=slug, defaults={"name": slug, "type": kind})[0]
        for slug, kind in types.items()
    }


def _receive(questions: list[Example]) -> list[tuple[int, str]]:
    parsed = [ParsedEmail(department=e.department, subject=e.subject, body=e.body) for e in questions]
    received = Intake().receive(parsed)
    return [(r.email.pk, e.subtype) for r, e in zip(received, questions, strict=True) if r.email]


def _answer(labels: dict[int, str], subtypes: dict[str, Subtype], source: Source) -> None:
    """The newest is in force; a part of what came labelled may be held out."""
    now = timezone.now()
    made = Verification.objects.bulk_create(
        Verification(
            email_id=pk, action="confirm", subtype=subtypes[label], type=subtypes[label].type, source=source,
            idempotency_key=f"{pk}-{now.timestamp()}",
        )
        for pk, label in labels.items()
    )  # fmt: skip
    emails = {v.email_id: Email(pk=v.email_id, verification=v) for v in made}
    Email.objects.bulk_update(emails.values(), ["verification"], batch_size=500)


def _retrain(what: str) -> list[tuple[str, str]]:
    start = perf_counter()
    call_command("retrain", reason=what, verbosity=0, stdout=_Quiet())
    took = perf_counter() - start
    found = Retraining.objects.select_related("data_set").latest("pk")
    assert found.data_set is not None
    return [
        (f"{what}: {found.data_set.train:,} rows, {found.data_set.test:,} held out", f"{found.get_decision_display()}, {took:.0f} s"),
        ("", found.sentence),
    ]  # fmt: skip
