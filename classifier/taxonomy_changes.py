"""Changes of the taxonomy while it is in use: what they do to old labels is said before, and done in one transaction.

A slug never changes, since models, exports and programs know it; answers never change, since they are append-only.
A merged subtype points at the one that took it over, and whoever reads its answers follows the pointer.
"""

from dataclasses import dataclass

from django.db import transaction
from django.db.models import Q
from django.utils.text import slugify

from classifier.models import Department, Email, EmailType, ReviewItem, Subtype, Verification
from reviewdesk.audit.models import AuditEvent
from reviewdesk.audit.services import record
from reviewdesk.backends import Remembered
from reviewdesk.errors import Conflict, DeskError
from reviewdesk.people.models import User


def _targets() -> dict[int, dict[str, tuple[str, str] | None]]:
    """Department id → slug → (slug in use, type), for the departments where something was merged or retired."""
    changed = set(Subtype.objects.filter(active=False).values_list("department", flat=True))
    found: dict[int, dict[str, tuple[str, str] | None]] = {pk: {} for pk in changed}
    for s in Subtype.objects.filter(department__in=changed).select_related("merged_into"):
        final = s.final
        found[s.department_id][s.slug] = (final.slug, final.type) if final.active else None
    return found


targets = Remembered(_targets, seconds=2.0)


def _changed() -> None:
    targets.forget()
    transaction.on_commit(targets.forget)


@dataclass(frozen=True)
class Effect:
    """What hangs on a subtype: labels people gave, mail the model gave it, reviews open on it."""

    verified: int
    predicted: int
    open_items: int


@dataclass(frozen=True)
class MergeEffect:
    """What a merge would do to `emails` labels; `type_before` and `type_after` differ where it changes their type."""

    emails: Effect
    answers: int
    type_before: str
    type_after: str

    @property
    def changes_type(self) -> bool:
        return self.type_before != self.type_after


def merge_effect(*, subtype: Subtype, into: Subtype) -> MergeEffect:
    answers = Verification.objects.filter(subtype=subtype).count()
    return MergeEffect(effect_of(subtype), answers, subtype.get_type_display(), into.get_type_display())


def effect_of(subtype: Subtype) -> Effect:
    labelled = Email.objects.filter(subtype=subtype)
    verified = labelled.filter(verification__isnull=False).count()
    items = ReviewItem.objects.filter(status=ReviewItem.Status.OPEN, prediction__subtype=subtype)
    return Effect(verified, labelled.count() - verified, items.count())


def add_department(*, name: str, by: User) -> Department:
    slug = slugify(name).replace("-", "_")[:60]
    if not slug:
        raise DeskError(f"{name!r} has no letters to make a slug of.", fields={"name": ["needs letters"]})
    if Department.objects.filter(slug=slug).exists():
        raise DeskError(f"There is a department {slug!r} already.", fields={"name": ["is taken"]})
    with transaction.atomic():
        department = Department.objects.create(slug=slug, name=name[:80])
        record(action="add department", target=department, actor=by, slug=slug)
    return department


def change_department(*, department: Department, name: str, active: bool, by: User) -> None:
    """Rename a department, retire it or take it back: retired it gets no new mail by hand, what is there stays."""
    with transaction.atomic():
        before = {"name": department.name, "active": department.active}
        Department.objects.filter(pk=department.pk).update(name=name[:80], active=active)
        after = {"name": name[:80], "active": active}
        record(action="change department", target=department, actor=by, before=before, after=after)


def add_subtype(*, department: Department, name: str, type: str, guideline: str, examples: str, by: User) -> Subtype:
    """A subtype that no model has seen is recognised by its examples, within seconds."""
    if type not in EmailType.values:
        raise DeskError(f"type is {type!r}; allowed: {', '.join(EmailType.values)}", fields={"type": ["is unknown"]})
    slug = slugify(name).replace("-", "_")[:80]
    if not slug or department.subtypes.filter(slug=slug).exists():
        raise DeskError(f"{name!r} cannot be added: {slug!r} is there already or empty.", fields={"name": ["is taken"]})
    with transaction.atomic():
        subtype = Subtype.objects.create(
            department=department, slug=slug, name=name[:100], type=type, guideline=guideline, examples=examples
        )
        record(action="add subtype", target=subtype, actor=by, department=department.slug, slug=slug, type=type)
        _changed()
    return subtype


def change_subtype(*, subtype: Subtype, name: str, guideline: str, examples: str, by: User) -> None:
    """Rename, or edit what reviewers read; the slug stays."""
    with transaction.atomic():
        changed = [
            field
            for field, value in (("name", name), ("guideline", guideline), ("examples", examples))
            if getattr(subtype, field) != value
        ]
        subtype.name, subtype.guideline, subtype.examples = name[:100], guideline, examples
        subtype.save(update_fields=["name", "guideline", "examples", "changed_at"])
        record(action="change subtype", target=subtype, actor=by, slug=subtype.slug, changed=changed)


def retire_subtype(*, subtype: Subtype, by: User) -> None:
    """Take a subtype out of use: labels keep it, new mail and new answers do not get it."""
    with transaction.atomic():
        if not Subtype.objects.filter(pk=subtype.pk, active=True).update(active=False):
            raise Conflict(f"{subtype} is out of use already.", code="already_done")
        record(action="retire subtype", target=subtype, actor=by, slug=subtype.slug)
        _changed()


def restore_subtype(*, subtype: Subtype, by: User) -> int:
    """Use a subtype again. A merge is undone: the labels that were given as this subtype are this subtype again, since
    answers and predictions keep it. Returns how many emails came back."""
    with transaction.atomic():
        current = Subtype.objects.select_for_update().get(pk=subtype.pk)
        returned = _undo_merge(current) if current.merged_into_id else 0
        Subtype.objects.filter(pk=subtype.pk).update(active=True, merged_into=None)
        record(action="restore subtype", target=subtype, actor=by, slug=subtype.slug, emails=returned)
        _changed()
    return returned


def _undo_merge(subtype: Subtype) -> int:
    """Give back the labels, and the subtypes that had been merged into it before; in the caller's transaction."""
    merged = AuditEvent.objects.filter(
        action="merge subtype", object_type=Subtype._meta.model_name, object_id=str(subtype.pk)
    )
    latest = merged.order_by("-pk").first()
    earlier = latest.detail.get("chained", []) if latest else []
    Subtype.objects.filter(pk__in=earlier, merged_into=subtype.merged_into_id).update(merged_into=subtype)
    given_as = [subtype.pk, *earlier]
    by_people = Q(verification__subtype__in=given_as)
    by_model = Q(verification=None, prediction__subtype__in=given_as)
    emails = Email.objects.filter(by_people | by_model, subtype=subtype.merged_into_id)
    return emails.update(subtype=subtype, type=subtype.type)


def merge_subtype(*, subtype: Subtype, into: Subtype, by: User, reason: str) -> Effect:
    """Let another subtype of the department take this one over, with its labels; returns what moved.

    `restore_subtype` undoes it. Raises DeskError without a reason.
    """
    if not reason.strip():
        raise DeskError(
            "Give a reason for the merge; it is kept in the audit trail.", fields={"reason": ["is missing"]}
        )
    if subtype.pk == into.pk or subtype.department_id != into.department_id:
        raise DeskError(f"{subtype} can only be merged into another subtype of {subtype.department}.")
    if not Subtype.objects.filter(pk=into.pk, active=True).exists():
        raise DeskError(f"{into} is out of use; merge into one that is in use.")
    with transaction.atomic():
        if not Subtype.objects.select_for_update().get(pk=subtype.pk).active:
            raise Conflict(f"{subtype} is out of use already; look again.", code="already_done")
        moved = effect_of(subtype)
        chained = list(Subtype.objects.filter(merged_into=subtype).values_list("pk", flat=True))
        Subtype.objects.filter(pk__in=chained).update(merged_into=into)
        Subtype.objects.filter(pk=subtype.pk).update(active=False, merged_into=into)
        Email.objects.filter(subtype=subtype).update(subtype=into, type=into.type)
        answers = Verification.objects.filter(subtype=subtype).count()
        record(
            action="merge subtype", target=subtype, actor=by, slug=subtype.slug, into=into.slug,
            emails=moved.verified + moved.predicted, answers=answers, chained=chained, reason=reason.strip(),
        )  # fmt: skip
        _changed()
    return moved


def move_subtypes(*, department: Department, into: Department) -> None:
    """Give a department's subtypes to another, in the caller's transaction; one that is there by its slug takes its twin over."""
    theirs = {s.slug: s for s in into.subtypes.select_related("merged_into")}
    for subtype in department.subtypes.all():
        twin = theirs.get(subtype.slug)
        if twin is None:
            Subtype.objects.filter(pk=subtype.pk).update(department=into)
            continue
        final = twin.final
        Subtype.objects.filter(merged_into=subtype).update(merged_into=final)
        Subtype.objects.filter(pk=subtype.pk).update(active=False, merged_into=final)
        Email.objects.filter(subtype=subtype).update(subtype=final, type=final.type)
    _changed()
