"""Subtypes with their examples, as the predictor wants them for what it was not trained on."""

import json
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from django.db.models import Max

from classifier.models import Email, Subtype
from ml.predictor import NewSubtype
from ml.taxonomy import LabelSpace
from reviewdesk.errors import BackendError

MOST = 16  # examples of a subtype: more bring little


@dataclass(frozen=True)
class Revision:
    """Changes whenever what the predictor should know by examples may have changed."""

    unknown: tuple[int, ...]
    changed_at: datetime | None
    labelled: int


def revision(folder: Path) -> Revision:
    """Of the taxonomy, seen from the model in `folder`: three short queries, or two where it knows every subtype."""
    unknown = _unknown(folder)
    latest = Subtype.objects.filter(pk__in=unknown).aggregate(latest=Max("changed_at"))["latest"] if unknown else None
    return Revision(unknown, latest, _labelled(unknown).count() if unknown else 0)


def new_subtypes(found: Revision) -> list[NewSubtype]:
    """The unknown subtypes that have at least one example."""
    subtypes = Subtype.objects.filter(pk__in=found.unknown).select_related("department")
    taught = [NewSubtype(s.department.slug, s.slug, s.type, _examples(s)) for s in subtypes]
    return [s for s in taught if s.examples]


def _examples(subtype: Subtype) -> tuple[tuple[str, str], ...]:
    """(subject, body) pairs: those written into the taxonomy first, then the newest that people labelled."""
    written = [("", text) for text in subtype.example_texts]
    labelled = _labelled((subtype.pk,)).order_by("-pk").values_list("subject", "body")
    return tuple([*written, *labelled[: max(0, MOST - len(written))]][:MOST])


def _labelled(subtypes: tuple[int, ...]):
    return Email.objects.filter(verification__subtype__in=subtypes)


def _unknown(folder: Path) -> tuple[int, ...]:
    """Active subtypes of active departments that the model in the folder was not trained on."""
    trained = trained_labels(folder)
    rows = Subtype.objects.filter(active=True, department__active=True).values_list("pk", "department__slug", "slug")
    return tuple(sorted(pk for pk, department, slug in rows if (department, slug) not in trained))


def trained_labels(folder: Path) -> frozenset[tuple[str, str]]:
    """(department, subtype) slugs that the model in the folder was trained on. Raises BackendError."""
    return _trained(folder / "labels.json")


@lru_cache(maxsize=8)
def _trained(labels: Path) -> frozenset[tuple[str, str]]:
    """Artifacts never change, so neither does this. Raises BackendError for an unreadable file."""
    try:
        return frozenset(LabelSpace.from_json(json.loads(labels.read_text(encoding="utf-8"))).index)
    except (OSError, ValueError, KeyError) as error:
        raise BackendError(f"{labels} cannot be read: {error}", permanent=True) from None
