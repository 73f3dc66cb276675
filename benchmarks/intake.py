"""How the cost of receiving an email grows with what is stored already."""

from time import perf_counter

from classifier.intake.parsed import ParsedEmail
from classifier.intake.services import BATCH, Intake

STEPS = (1_000, 2_000, 4_000)


def run() -> list[tuple[str, str]]:
    rows, stored, first = [], 0, 0.0
    for target in STEPS:
        start = perf_counter()
        while stored < target:
            Intake().receive([_email(stored + i) for i in range(BATCH)])
            stored += BATCH
        each = (perf_counter() - start) / (target - (rows and STEPS[len(rows) - 1] or 0)) * 1000
        first = first or each
        rows.append((f"up to {target:,} stored: ms an email", f"{each:.2f}  ({each / first:.2f} x the first)"))
    return rows


def _email(n: int) -> ParsedEmail:
    return ParsedEmail(
        sender_address=f"c{n}@example.com",
        subject=f"Subject {n}",
        body=f"The printer number {n} does not answer, please have a look at it. " * 3,
        message_id=f"<{n}@bench>",
        department="it",
    )
