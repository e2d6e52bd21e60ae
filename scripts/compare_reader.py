"""Compare what the reader's opinion counts for: python scripts/compare_reader.py TABLE [--work DIR] [--limit N].

    evidence  what the weights by hand count for beside the reader, and how near a second sentence must be
    order     what the reader counts for in the order of the passages
    sources   how sure the reader must be of a further source
    short     from which certainty on the short answer is shown

The questions are those of news_qa and web_queries and those held out of the reader's training, never those of the sets
whose figures are quoted. What was chosen by these tables, and why, stands in EXPERIMENTS.md.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from evaluate import options_of, ready_bot, sampled, write_held_out
from reader_data import pseudo_english

from bot.answer import evidence, retrieve, short
from bot.answer.features import QueryFeatures
from bot.answer.query import understand
from bot.evaluation import Question, is_relevant, read_questions
from bot.index.candidates import Candidates
from bot.pipeline import Bot
from bot.text.fold import fold
from bot.text.overlap import exact_match, longest_run_f1
from bot.types import Hit, Vectors

HELD_OUT = ("cmrc2018_train", "drcd_train_part", "webqa", "checklist_train", "news_train", "cjrc")


@dataclass
class Case:
    """A question, what was found for it, and its features, which keep what the reader found."""

    question: Question
    bot: Bot
    asked: QueryFeatures
    vector: Vectors
    found: Candidates

    def hits(self, count: int = 10) -> list[Hit]:
        """The hits by the constants as they are now."""
        return retrieve.ranked(self.bot.live.get(), self.asked, self.found, count, self.bot.reader)

    def marked(self, hit: Hit) -> evidence.Marked:
        """The marks of a hit by the constants as they are now."""
        return evidence.mark(self.asked, [hit.passage], self.vector, self.bot.embedder, self.bot.reader)[0]


def cases(options: argparse.Namespace) -> dict[str, list[Case]]:
    """Set -> its answerable questions; those of HELD_OUT[0] also in pseudo-English."""
    folders = [options.eval / "news_qa", options.eval / "web_queries"]
    folders += [write_held_out(options, f"held_out_{name}", [name]) for name in HELD_OUT]
    found: dict[str, list[Case]] = {}
    for folder in folders:
        bot = ready_bot(options, folder / "corpus", folder.name, options.size)
        questions = sampled([q for q in read_questions(folder) if q.evidence], options.limit)
        found[folder.name] = [_case(bot, question) for question in questions]
        if folder.name.endswith(HELD_OUT[0]):
            english, rng = pseudo_english(options.data), random.Random(1)
            translated = [replace(question, text=english.question(question.text, rng)) for question in questions]
            found["in English"] = [_case(bot, question) for question in translated if question.text]
    return found


def _case(bot: Bot, question: Question) -> Case:
    index = bot.live.get()
    query = understand(question.text, index.store.names, index.dictionary)
    vector = retrieve.query_vector(query, bot.embedder)
    asked, found = retrieve.looked_up(index, query, vector)
    return Case(question, bot, asked, vector, found)


def print_table(rows: Iterator[tuple[str, dict[str, float]]]) -> int:
    """Print a row a setting and a column a set, with their mean."""
    for number, (name, values) in enumerate(rows):
        if not number:
            print("| | " + " | ".join(values) + " | mean |\n|---|" + "---|" * (len(values) + 1))
        cells = [f"{value:.4f}" for value in (*values.values(), float(np.mean(list(values.values()))))]
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)
    return 0


def evidence_table(options: argparse.Namespace) -> int:
    """Print the share of right first passages whose marks hold the answer, and how much of them is marked."""
    first = {
        name: [(case, hit) for case in some for hit in case.hits(1) if is_relevant(case.question, hit.passage)]
        for name, some in cases(options).items()
    }

    def rows() -> Iterator[tuple[str, dict[str, float]]]:
        for by_hand in (0.0, 0.15, 0.3, 0.7, 1.5):
            for nearly in (0.0, 1.0, 2.0, 3.0, 4.0, 6.0):
                evidence._BY_HAND, evidence._READ_NEARLY = by_hand, nearly
                inside: dict[str, list[bool]] = defaultdict(list)
                share: list[float] = []
                for name, some in first.items():
                    for case, hit in some:
                        spans, text = case.marked(hit).spans, hit.passage.text
                        marked = fold("\n".join(text[span.start : span.end] for span in spans))
                        inside[name].append(any(answer in marked for answer in case.question.evidence))
                        share.append(sum(span.end - span.start for span in spans) / len(text))
                label = f"by hand {by_hand}, nearly {nearly}, marked {np.mean(share):.3f}"
                yield label, {name: float(np.mean(values)) for name, values in inside.items()}

    return print_table(rows())


def order_table(options: argparse.Namespace) -> int:
    """Print MRR@10."""
    sets = cases(options)

    def rows() -> Iterator[tuple[str, dict[str, float]]]:
        for points in (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0):
            retrieve._READ_POINTS = retrieve._READ_ENGLISH_POINTS = points
            ranks: dict[str, list[float]] = defaultdict(list)
            for name, some in sets.items():
                for case in some:
                    right = (i for i, hit in enumerate(case.hits(), 1) if is_relevant(case.question, hit.passage))
                    rank = next(right, 0)
                    ranks[name].append(1 / rank if rank else 0.0)
            yield f"points {points}", {name: float(np.mean(values)) for name, values in ranks.items()}

    return print_table(rows())


def short_table(options: argparse.Namespace) -> int:
    """Print how often words are shown, how often they are exactly right, and their F1, where the passage is right."""
    first = {
        name: [(case, hit, case.marked(hit)) for case in some for hit in case.hits(1)]
        for name, some in cases(options).items()
    }
    for sure in (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4):
        short._SURE = sure
        for name, some in first.items():
            said = [(case, hit, short.short_answer(case.asked, hit.passage, marked)) for case, hit, marked in some]
            right = [
                (fold(words), case.question.evidence)
                for case, hit, words in said
                if words and is_relevant(case.question, hit.passage)
            ]
            shown = np.mean([bool(words) for _, _, words in said])
            exact, f1 = (np.mean([by(*one) for one in right] or [0]) for by in (exact_match, longest_run_f1))
            print(f"| {sure} | {name} | shown {shown:.3f} | exact {exact:.3f} | F1 {f1:.3f} |", flush=True)
    return 0


def sources_table(options: argparse.Namespace) -> int:
    """Print, of the second and third hits that answer and that do not, the share that the reader lets pass."""
    worth: dict[bool, list[float]] = {True: [], False: []}
    for some in cases(options).values():
        for case in some:
            for hit in case.hits(3)[1:]:
                if (read := case.marked(hit).read) is not None:
                    worth[is_relevant(case.question, hit.passage)].append(read.worth)
    print("| log-odds at least | of those that answer | of the others |\n|---|---|---|")
    for least in (-6, -4, -3, -2, -1, 0, 1, 2):
        print(
            f"| {least} | "
            + " | ".join(f"{np.mean(np.array(worth[kind]) >= least):.3f}" for kind in (True, False))
            + " |"
        )
    return 0


TABLES = {"sources": sources_table, "evidence": evidence_table, "order": order_table, "short": short_table}


def main() -> int:
    """Print the tables named."""
    options = options_of(__doc__ or "", list(TABLES))
    for table in options.tables:
        TABLES[table](options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
