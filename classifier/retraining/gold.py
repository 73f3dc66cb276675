"""Whether people's answers and the labels that came with mail agree, where an email has both."""

from dataclasses import dataclass

from classifier.judging import answers_to
from classifier.labels import confirmed
from classifier.models import Source, Verification
from ml.intervals import wilson_interval

LEAST = 20  # emails with both
BAR = 0.5  # agreement that is below it by its upper bound is a doubtful basis for a training


@dataclass(frozen=True)
class GoldCheck:
    """`agreed` of `n` emails that came with a label and that people have answered too."""

    n: int
    agreed: int

    @property
    def broken(self) -> bool:
        return self.n >= LEAST and wilson_interval(self.agreed, self.n)[1] < BAR

    @property
    def sentence(self) -> str:
        return (
            f"People agree with the labels that came with the mail on {self.agreed} of {self.n} emails. "
            "Either those labels are wrong or the guidelines are read differently."
        )


def gold_check() -> GoldCheck:
    gold = confirmed(Verification.objects.filter(source=Source.GOLD))
    given = confirmed(Verification.objects.exclude(source__in=[Source.GOLD, Source.AGENT]))
    answers = answers_to(list(given.filter(email__in=gold.values("email")).values_list("email", flat=True).distinct()))
    labels = {v.email_id: v.label for v in gold.filter(email__in=given.values("email")).select_related("subtype")}
    found = [answer.label == labels[email] for email, answer in answers.items()]
    return GoldCheck(len(found), sum(found))
