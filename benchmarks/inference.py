"""What serving costs: naive PyTorch, ONNX fp32 and int8, at MiniLM's and at DeBERTa-v3-base's size.

Naive is PyTorch fp32, one email at a time on one thread. Ratios are of CPU seconds an email, tokenising
included; emails a second are counted with one single-thread process a core, all at once.
"""

import json
import os
import random
import subprocess
import sys
from math import exp
from pathlib import Path
from statistics import NormalDist

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import DebertaV2Config, DebertaV2Model

from ml.artifact import save_artifact
from ml.data import load_corpus
from ml.model import DualHeadClassifier
from ml.rewrite import export_again
from ml.scoring import Calibration
from ml.taxonomy import load_taxonomy
from ml.training import Trained

ROOT = Path(__file__).parent.parent
MEDIAN, SPREAD = 90, 0.857  # tokens of an email: lognormal, 8% over 300
VOCABULARY = 128_100


def run(starter: Path, work: Path) -> list[tuple[str, str]]:
    rows = []
    starter_small = export_again(starter, work / "starter-int8", precision="int8").folder
    rows += _table("MiniLM starter", starter, starter_small, real_emails(120), work)
    full, small = make_deberta(work)
    rows += _table("DeBERTa-v3-base size", full, small, made_emails(60), work)
    return rows


def _table(name: str, full: Path, small: Path, emails: list, work: Path) -> list[tuple[str, str]]:
    file = work / "emails.json"
    file.write_text(json.dumps(emails))
    naive = _measure(full, "torch", file, 1)
    rows = [(f"{name}: naive PyTorch", f"{1000 * _per_email(naive):.1f} CPU ms an email")]
    for label, folder in (("fp32", full), ("int8", small)):
        one = _measure(folder, "onnx", file, 1)
        cores = os.cpu_count() or 1
        together = _measure(folder, "onnx", file, cores)
        rate = sum(f["n"] for f in together) / max(f["wall_s"] for f in together)
        rows += [
            (f"{name}: ONNX {label}", f"{_per_email(naive) / _per_email(one):.2f} x naive, {1000 * _per_email(one):.1f} CPU ms an email"),
            ("  emails a second", f"{rate:.1f} with {cores} processes"),
            ("  load to first answer, memory", f"{one[0]['load_s']:.1f} s, {one[0]['rss_mb']:.0f} MB"),
        ]  # fmt: skip
    return rows


def _measure(folder: Path, runtime: str, emails: Path, processes: int) -> list[dict]:
    command = [sys.executable, "-m", "benchmarks.inference_worker", str(folder), runtime, str(emails)]
    started = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(processes)]
    return [json.loads(p.communicate()[0]) for p in started]


def _per_email(figures: list[dict]) -> float:
    return sum(f["cpu_s"] for f in figures) / sum(f["n"] for f in figures)


def lengths(n: int) -> list[int]:
    """The quantiles of a lognormal, in tokens, so that a run has no luck with its emails."""
    normal = NormalDist()
    found = [min(512, max(8, round(MEDIAN * exp(SPREAD * normal.inv_cdf((i + 0.5) / n))))) for i in range(n)]
    random.Random(0).shuffle(found)
    return found


def made_emails(n: int) -> list[tuple[str, str, str]]:
    """Emails of numbered words, one token each."""
    rng = random.Random(1)
    return [("it", "", " ".join(f"w{rng.randrange(50_000)}" for _ in range(length))) for length in lengths(n)]


def real_emails(n: int) -> list[tuple[str, str, str]]:
    """Emails of the corpus, joined and cut to the same lengths (1.3 tokens a word)."""
    words = [w for e in load_corpus("test") for w in e.body.split()]
    rng = random.Random(1)
    starts = [rng.randrange(len(words) - 512) for _ in range(n)]
    return [("it", "", " ".join(words[s : s + round(k / 1.3)])) for s, k in zip(starts, lengths(n), strict=True)]


def make_deberta(work: Path) -> tuple[Path, Path]:
    """A randomly initialised model of DeBERTa-v3-base's size with a word tokenizer: fp32 and int8 folders."""
    encoder = work / "encoder"
    encoder.mkdir()
    words = {w: i for i, w in enumerate(["[PAD]", "[CLS]", "[SEP]", "[UNK]", *(f"w{i}" for i in range(50_000))])}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        "[CLS] $A [SEP]", "[CLS] $A [SEP] $B [SEP]", [("[CLS]", 1), ("[SEP]", 2)]
    )
    tokenizer.save(str(encoder / "tokenizer.json"))
    config = DebertaV2Config(
        vocab_size=VOCABULARY, hidden_size=768, num_hidden_layers=12, num_attention_heads=12, intermediate_size=3072,
        max_position_embeddings=512, relative_attention=True, position_buckets=256, norm_rel_ebd="layer_norm",
        share_att_key=True, pos_att_type=["p2c", "c2p"], position_biased_input=False, type_vocab_size=0,
    )  # fmt: skip
    config.save_pretrained(encoder)
    torch.manual_seed(0)
    space = load_taxonomy().label_space()
    model = DualHeadClassifier(DebertaV2Model(config), len(space.types), len(space.subtypes))
    trained = Trained(model, space, Calibration(), None, {"mode": "random", "encoder": str(encoder)})
    folders = []
    for precision in ("fp32", "int8"):
        save_artifact(trained, work / f"deberta-{precision}", version=precision, precision=precision)
        folders.append(work / f"deberta-{precision}")
    return folders[0], folders[1]
