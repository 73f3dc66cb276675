"""Data sets of retrainings: the earlier rows, the labels given since, and which of them no training ever sees.

Held out is only mail that no model's answer chose: emails of the random samples and mail that came with its label. What
agents corrected, or was unsure, is chosen by the mistakes of the model in production, and any other model would look
better on it. Which of them follows from a hash of the thread; near-copies of a row, and what is in one thread with it,
share its split, and what was held out once stays so. Of rows that say the same, the label that was decided between
reviewers counts first, then the newest.
"""

import gzip
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

from django.conf import settings

from classifier.models import (
    DataSet,
    Department,
    Email,
    ModelVersion,
    ReviewItem,
    Source,
    Subtype,
    TrainingRun,
    Verification,
)
from classifier.registry.building import STARTER, run_folder
from classifier.registry.queries import folder_of
from classifier.retraining.rows import label_rows
from ml.artifact import load_artifact, load_test_rows
from ml.data import MAX_CHARACTERS, Example, load_corpus, read_examples
from ml.errors import MLError
from ml.files import open_binary
from ml.progress import Progress, Watch, unwatched
from ml.splitting import TEST, TRAIN, near_copies

SAMPLE_SHARE = 0.5  # of the emails of random samples that are held out
LABELLED_SHARE = 0.2  # of the emails that came with a label


@dataclass(frozen=True)
class Row:
    """A labelled email of a data set; `email` and `thread` are the desk's numbers, 0 for a row from elsewhere.

    `share` is the chance that it is held out, where it is new.
    """

    department: str
    subject: str
    body: str
    type: str
    subtype: str
    split: str = ""
    email: int = 0
    thread: int = 0
    share: float = 0.0
    decided: bool = False
    labelled_at: str = ""

    @property
    def key(self) -> str:
        """Equal for rows that say the same."""
        return text_key(self.department, self.subject, self.body)

    @property
    def weight(self) -> tuple[bool, str]:
        return self.decided, self.labelled_at


def text_key(department: str, subject: str, body: str) -> str:
    return sha256(json.dumps([department, *subject.lower().split(), *body.lower().split()]).encode()).hexdigest()


def file_of(data_set: DataSet) -> Path:
    return _folder() / f"{data_set.sha256}.jsonl.gz"


def read_rows(data_set: DataSet) -> list[Row]:
    with open_binary(file_of(data_set)) as lines:
        return [Row(**json.loads(line)) for line in lines]


def build_data_set(
    *, snapshot: int, production: ModelVersion | None, parent: DataSet | None = None, watch: Watch = unwatched
) -> DataSet:
    """Join the labels of a snapshot with the earlier data set, or else with what `production` was trained on.

    The same labels, taxonomy and parent give the same rows and so the same hash. What is returned is not saved yet.
    """
    counts: Counter[str] = Counter()
    watch(Progress("gathering labels", 0, 3))
    if parent is not None:
        earlier, base = read_rows(parent), ""
    else:
        earlier, base = rows_of(production) if production else ([], "")
    names = _taxonomy()
    shares = _shares(snapshot)
    labels = [_from_label(row, shares) for row in label_rows(snapshot)]
    watch(Progress("gathering labels", 1, 3))
    labelled = {row.email for row in labels}
    rows = _joined(list(_named(earlier, names, counts)), list(_named(labels, names, counts)), labelled, counts)
    watch(Progress("looking for near-copies", 2, 3))
    rows = _split(rows, counts)
    digest = _write(rows)
    watch(Progress("looking for near-copies", 3, 3))
    train = sum(row.split == TRAIN for row in rows)
    return DataSet(
        parent=parent,
        base=base,
        snapshot=snapshot,
        sha256=digest,
        train=train,
        test=len(rows) - train,
        counts=dict(counts),
    )


def rows_of(version: ModelVersion) -> tuple[list[Row], str]:
    """What a version was trained and tested on, as far as the desk has it, and where that came from."""
    run = version.runs.order_by("-pk").first()
    if run is not None and run.kind == TrainingRun.Kind.RETRAIN and run.retraining.data_set:
        return read_rows(run.retraining.data_set), f"data set {run.retraining.data_set}"
    if version.version == STARTER:
        return _known(version, load_corpus()), "the shipped corpus"
    labels = run_folder(version.version).with_name(f"{version.version}.jsonl")
    file = Path(run.file.path) if run is not None and run.file else labels
    if not file.is_file():
        return [], f"nothing: the rows of {version} are not on this desk"
    return _known(version, read_examples(file)), f"the rows of {version}"


def seen_by(version: ModelVersion) -> set[str] | None:
    """Keys of the rows that a version was trained on, named as today; None where the desk does not know them."""
    try:
        rows, _ = rows_of(version)
    except (OSError, MLError):
        return None
    return {row.key for row in _named(rows, _taxonomy(), Counter()) if row.split == TRAIN} if rows else None


def _known(version: ModelVersion, examples: Iterable[Example]) -> list[Row]:
    """Rows of a version with the split that its training gave them."""
    try:
        held_out = {
            text_key(e.department, e.subject, e.body) for e in load_test_rows(load_artifact(folder_of(version)))
        }
    except MLError:
        held_out = set()
    rows = [Row(e.department, e.subject, e.body, e.type, e.subtype) for e in examples]
    return [replace(row, split=TEST if row.key in held_out else TRAIN) for row in rows]


def _shares(snapshot: int) -> dict[int, float]:
    """Email id → the chance to be held out, of those that no model's answer chose."""
    gold = Verification.objects.filter(source=Source.GOLD, pk__lte=snapshot).values_list("email", flat=True)
    drawn = ReviewItem.objects.filter(draw__isnull=False).values_list("email", flat=True)
    return dict.fromkeys(gold, LABELLED_SHARE) | dict.fromkeys(drawn, SAMPLE_SHARE)


def _from_label(row: dict, shares: dict[int, float]) -> Row:
    return Row(
        row["department"],
        row["subject"],
        row["body"][:MAX_CHARACTERS],
        row["type"],
        row["subtype"],
        email=row["email_id"],
        thread=row["thread_id"],
        share=shares.get(row["email_id"], 0.0),
        decided=row["source"] == Source.ADJUDICATION,
        labelled_at=row["reviewed_at"],
    )


def _taxonomy() -> dict[tuple[str, str], tuple[str, str, str]]:
    """(department, subtype) as a row may have it → the same and its type, as they are counted today."""
    found = Subtype.objects.select_related("department", "merged_into__department")
    names = {
        (s.department.slug, s.slug): (s.final.department.slug, s.final.slug, s.final.type)
        for s in found
        if s.final.active and s.final.department.active
    }
    moved = Department.objects.filter(merged_into__isnull=False).values_list("slug", "merged_into__slug")
    for old, new in moved:  # a department that was merged has given its subtypes away
        names |= {(old, slug): name for (department, slug), name in list(names.items()) if department == new}
    return names


def _named(rows: Iterable[Row], names: dict, counts: Counter[str]) -> Iterator[Row]:
    for row in rows:
        name = names.get((row.department, row.subtype))
        if name is None:
            counts["without a subtype" if not row.subtype else "subtype out of use"] += 1
        else:
            department, subtype, kind = name
            yield replace(row, department=department, subtype=subtype, type=kind)


def _joined(earlier: list[Row], labels: list[Row], labelled: set[int], counts: Counter[str]) -> list[Row]:
    """One row for each text, with the split it had. What the desk knows of its own emails today replaces what it knew.

    Rows of emails that were deleted since stay; those whose answer was taken back do not. `labelled`: the emails that
    have a label, also one that is not in use.
    """
    here = Email.objects.only("pk").in_bulk([r.email for r in earlier if r.email and r.email not in labelled])
    at: dict[str, Row] = {}
    for row in [*(r for r in earlier if r.email not in labelled and r.email not in here), *labels]:
        old = at.get(row.key)
        counts["same text"] += old is not None
        counts["same text, another label"] += old is not None and old.subtype != row.subtype
        if old is None or row.weight >= old.weight:
            at[row.key] = row
    before = {row.key: row for row in earlier}
    splits = {row.email: row.split for row in earlier if row.email}  # an email that was moved reads otherwise
    counts["added"] = len(at.keys() - before.keys())
    counts["label taken back"] = len(here)
    counts["changed"] = sum(key in before and before[key].subtype != row.subtype for key, row in at.items())
    return [
        replace(row, split=before[key].split if key in before else splits.get(row.email, "")) for key, row in at.items()
    ]


def _split(rows: list[Row], counts: Counter[str]) -> list[Row]:
    """Give new rows their split, by family: near-copies and threads, linked to one another."""
    families: dict[int, list[int]] = defaultdict(list)
    for i, family in enumerate(_families(rows)):
        families[family].append(i)
    found = list(rows)
    for members in families.values():
        given = {rows[i].split for i in members} - {""}
        split = given.pop() if len(given) == 1 else "" if given else _drawn([rows[i] for i in members])
        for i in members:
            found[i] = rows[i] if rows[i].split else replace(rows[i], split=split)
    counts["near rows of both kinds"] += sum(not row.split for row in found)
    return [row for row in found if row.split]


def _families(rows: list[Row]) -> list[int]:
    examples = [Example(r.department, r.subject, r.body, r.type, r.subtype) for r in rows]
    parent = near_copies(examples).tolist() if rows else []  # a family is named after one of its rows

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    first: dict[int, int] = {}
    for i, row in enumerate(rows):
        if row.thread:
            parent[root(i)] = root(first.setdefault(row.thread, i))
    return [root(i) for i in range(len(rows))]


def _drawn(family: list[Row]) -> str:
    """By the thread, or for a row without one by its text; one chosen by a model's answer takes its family along."""
    first, share = family[0], min(row.share for row in family)
    digest = sha256(f"thread {first.thread}".encode() if first.thread else first.key.encode()).digest()
    return TEST if int.from_bytes(digest[:8]) < share * 2**64 else TRAIN


def _folder() -> Path:
    path = Path(settings.VAR_DIR) / "datasets"
    path.mkdir(parents=True, exist_ok=True)
    return path


def _write(rows: list[Row]) -> str:
    digest = sha256()
    part = _folder() / f".{uuid4().hex}.part"
    with gzip.open(part, "wb") as out:
        for row in rows:
            line = (json.dumps(asdict(row), ensure_ascii=False) + "\n").encode()
            digest.update(line)
            out.write(line)
    part.replace(_folder() / f"{digest.hexdigest()}.jsonl.gz")
    return digest.hexdigest()
