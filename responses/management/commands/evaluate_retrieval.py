"""`evaluate_retrieval --passages F --queries F --qrels F`: see `responses.retrieval.evaluation`."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from tqdm import tqdm

from responses.retrieval.embedders import chosen_embedder
from responses.retrieval.evaluation import METHODS, RANKS, K, read_jsonl, read_judgements, report, run
from reviewdesk.commands import DeskCommand


class Command(DeskCommand):
    help = "Measure retrieval by words, by vector and both on judged questions, and what declining by a bar costs."
    prints_figures = True

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--passages", type=Path, required=True, metavar="FILE", help="JSONL: id, department, title, text"
        )
        parser.add_argument(
            "--queries",
            type=Path,
            required=True,
            metavar="FILE",
            help="JSONL: id, department, text, history, answerability",
        )
        parser.add_argument("--qrels", type=Path, required=True, metavar="FILE", help="TSV: query_id, doc_id, score")

    def run(self, **options: Any) -> None:
        passages, queries = read_jsonl(options["passages"]), read_jsonl(options["queries"])
        judgements = read_judgements(options["qrels"])
        with tqdm(unit="text", disable=not self.progress(options)) as bar:

            def watch(done: int, total: int) -> None:
                bar.total = total
                bar.update(done - bar.n)

            figures = report(run(passages, queries, judgements, chosen_embedder(), watch))
        if options["json"]:
            self.print_json(figures)
        else:
            self.stdout.write("\n".join(_lines(figures)))


def _lines(figures: dict[str, Any]) -> list[str]:
    lines = [f"{figures['n']} judged questions, 95% bootstrap intervals", f"{'':10}{f'recall@{K}':26}mrr@{RANKS}"]
    for method in METHODS:
        cells = []
        for name in (f"recall@{K}", f"mrr@{RANKS}"):
            value, interval = figures[method][name], figures[method][f"{name}_interval"]
            cells.append("–" if value is None else f"{value:.3f} ({interval[0]:.3f}–{interval[1]:.3f})")
        lines.append(f"{method:10}{cells[0]:26}{cells[1]}")
    none = figures["no_source"]
    if none["curve"]:
        lines.append(f"declining by the best cosine, {none['n_answerable']} answerable, {none['n_unanswerable']} not:")
        lines += [
            f"  under {p['bar']:.3f}: {p['answerable_declined']:4.0%} of the answerable, {p['unanswerable_declined']:4.0%} of the others"
            for p in none["curve"]
        ]
    return lines
