"""Mail that comes in while a test is going."""

from classifier.models import Email
from reviewdesk import workflow
from tests.factories import make_email

BODY = "The invoice module has been down since nine, nobody in the office can work. Fix it now!"
OTHER = "access_request_query"


def receive(n: int = 1) -> list[Email]:
    emails = [make_email(subject=f"Down {k}", body=BODY) for k in range(n)]
    workflow.process(ids=[e.pk for e in emails])
    return list(Email.objects.filter(pk__in=[e.pk for e in emails]).order_by("pk"))
