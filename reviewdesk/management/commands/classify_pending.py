"""`classify_pending`: classify here and now what is still waiting."""

from typing import Any

from tqdm import tqdm

from classifier.models import Email
from reviewdesk.commands import DeskCommand
from reviewdesk.workflow import process

BATCH = 50


class Command(DeskCommand):
    help = "Classify every email that has no prediction yet, in this process, and draft replies."

    def run(self, **options: Any) -> None:
        ids = list(Email.objects.filter(prediction__isnull=True).order_by("pk").values_list("pk", flat=True))
        with tqdm(total=len(ids), unit="email", disable=not self.progress(options)) as bar:
            for start in range(0, len(ids), BATCH):
                process(ids=ids[start : start + BATCH])
                bar.update(min(BATCH, len(ids) - start))
        left = Email.objects.filter(prediction__isnull=True, pk__in=ids).count()
        self.stdout.write(f"{len(ids) - left} classified, {left} left")
