"""How well the trained heads do on real questions, when that data is there: accuracy, calibration, unseen intents.

Banking77 (CC BY 4.0) is looked for beside the project, in ../shared/data/questions.
"""

import random
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import numpy as np
import torch

from ml.artifact import save_artifact
from ml.data import Example, read_examples
from ml.embeddings import embed_emails
from ml.encoder import MINILM, resolve_encoder
from ml.evaluation import report
from ml.evaluation import run as evaluate
from ml.heads import Logits, fit_heads, folds_of, head_logits, new_heads, out_of_fold, targets_of
from ml.holdout import new_subtypes, space_of
from ml.model import DualHeadClassifier
from ml.predictor import Predictor
from ml.prototypes import Centres, prototype_scores, similarities
from ml.scoring import Calibration, Candidates, score
from ml.splitting import near_copies, split_three
from ml.taxonomy import LabelSpace
from ml.tokenizing import load_tokenizer
from ml.training import FrozenSettings, calibrate, train_frozen

DATA = Path(__file__).parents[2] / "shared" / "data" / "questions"
UNSEEN, SHOWN, DRAWS = 8, 8, 10  # a draw costs a minute


def there() -> bool:
    return (DATA / "banking77_train.csv").is_file()


def run(work: Path) -> list[tuple[str, str]]:
    train, test = (read_examples(DATA / f"banking77_{part}.csv") for part in ("train", "test"))
    start = perf_counter()
    trained = train_frozen(split_three(train), encoder=MINILM, space=space_of(train))
    artifact = save_artifact(trained, work / "banking", version="banking")
    took = perf_counter() - start
    figures = report(evaluate(Predictor(artifact.folder), test))["subtype"]
    perfect = figures["ece_if_perfect"]
    return [
        ("Banking77, heads only: trained and exported in", f"{took:.0f} s"),
        ("  subtype", f"{figures['accuracy']:.2%} of {len(test)}, log loss {figures['log_loss']:.3f}"),
        ("  ECE", f"{figures['ece']:.4f} (perfect: {perfect['mean']:.4f}, up to {perfect['percentile_95']:.4f})"),
        *unseen_intents(train, test),
    ]


def unseen_intents(train: list[Example], test: list[Example]) -> list[tuple[str, str]]:
    """Intents that training never saw, added with a few examples each, over random draws.

    The texts are embedded once; heads, calibration and prototypes are made anew for each draw.
    """
    settings = FrozenSettings()
    source = resolve_encoder(MINILM)
    whole = space_of(train)
    model = DualHeadClassifier.from_encoder(source, whole, layers=settings.layers)
    tokenizer = load_tokenizer(source)
    vectors = {e: v for part in (train, test) for e, v in zip(part, _embed(model, tokenizer, part), strict=True)}
    found, lost = [], []
    for seed in range(DRAWS):
        unseen = set(random.Random(seed).sample([s.slug for s in whole.subtypes], UNSEEN))
        seen_rows = [e for e in train if e.subtype not in unseen]
        space = space_of(seen_rows)
        heads, calibration, centres = _fit(seen_rows, space, vectors, replace(settings, seed=seed))
        logits = head_logits(heads, _stack(test, vectors))
        before = _right(test, logits, space, calibration, None)
        taught = new_subtypes([e for e in train if e.subtype in unseen], SHOWN, seed=seed)
        after = _right(
            test, logits, space, calibration, _candidates(taught, test, vectors, centres, space, calibration)
        )
        new = np.array([e.subtype in unseen for e in test])
        found.append(after[new].mean())
        lost.append(before[~new].mean() - after[~new].mean())
    return [
        (
            f"  {UNSEEN} unseen intents by {SHOWN} examples, {DRAWS} draws",
            f"{np.mean(found):.1%} right (lowest draw {min(found):.1%})",
        ),
        ("  the seen ones lose", f"{100 * np.mean(lost):.2f} points"),
    ]


def _embed(model, tokenizer, rows: list[Example]) -> np.ndarray:
    return embed_emails(model, tokenizer, [(e.department, e.subject, e.body) for e in rows])


def _stack(rows: list[Example], vectors: dict) -> torch.Tensor:
    return torch.from_numpy(np.stack([vectors[e] for e in rows]))


def _fit(rows: list[Example], space: LabelSpace, vectors: dict, settings: FrozenSettings):
    """What `train_frozen` does after embedding."""
    x, targets = _stack(rows, vectors), targets_of(rows, space)
    folds = folds_of(near_copies(rows), settings.folds, settings.seed)
    unseen = out_of_fold(x, targets, space, c=settings.c, folds=folds)
    calibration, centres = calibrate(x, unseen, rows, space, settings, folds)
    heads = new_heads(x.shape[1], space)
    fit_heads(heads, x, targets, settings.c)
    return heads, calibration, centres


def _candidates(taught, rows, vectors, centres: Centres, space, calibration) -> list[Candidates]:
    """Scores of the new subtypes for each row."""
    by_text = {(e.subject, e.body): v for e, v in vectors.items()}
    examples = [centres.direction(np.stack([by_text[t] for t in s.examples])) for s in taught]
    x = centres.direction(np.stack([vectors[e] for e in rows]))
    known = centres.known[list(space.members[rows[0].department])]
    scores = prototype_scores(similarities(x, examples, known), calibration.prototypes)
    slugs, types = tuple(s.slug for s in taught), tuple(s.type for s in taught)
    return [Candidates(slugs, types, row) for row in scores]


def _right(
    rows, logits: Logits, space: LabelSpace, calibration: Calibration, new: list[Candidates] | None
) -> np.ndarray:
    said = [
        score(logits.types[i], logits.subtypes[i], e.department, space, calibration, new[i] if new else None).subtype
        for i, e in enumerate(rows)
    ]
    return np.array([s == e.subtype for s, e in zip(said, rows, strict=True)])
