"""Makes departments and subtypes."""

from classifier.models import Department, EmailType, Subtype
from ml.taxonomy import load_taxonomy
from reviewdesk.errors import DeskError


def create_label(*, department: Department | str, type: str = "", slug: str = "") -> Department:
    """Make a department and, where named, one of its subtypes, unless they are there."""
    if isinstance(department, str):
        name = department.replace("_", " ").capitalize()
        department, _ = Department.objects.get_or_create(slug=department[:60], defaults={"name": name[:80]})
    if slug:
        if type not in EmailType.values:
            message = f"type is {type!r}; allowed: {', '.join(EmailType.values)}"
            raise DeskError(message, fields={"type": [message]})
        name = slug.replace("_", " ").capitalize()
        Subtype.objects.get_or_create(
            department=department, slug=slug[:80], defaults={"name": name[:100], "type": type}
        )
    return department


def load_starter_taxonomy() -> None:
    """The nine sectors and 87 subtypes of the starter corpus; what is there already stays as it is."""
    taxonomy = load_taxonomy()
    departments = {}
    for slug, name in taxonomy.departments.items():
        departments[slug], _ = Department.objects.get_or_create(slug=slug, defaults={"name": name})
    Subtype.objects.bulk_create(
        [
            Subtype(department=departments[s.department], slug=s.slug, name=s.name, type=s.type, guideline=s.guideline)
            for s in taxonomy.subtypes
        ],
        ignore_conflicts=True,
    )
