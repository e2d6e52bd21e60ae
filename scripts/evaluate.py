"""Every figure of the evaluation sets: python scripts/evaluate.py [TABLE ...].

    legs      sets x {bm25s, lexical, dense, hybrid}: hit@1, hit@5, MRR@10; fails when hybrid is below either leg
    answers   what a user reads: evidence@1, marked share, refusals, by `wenqu eval`
    reading   sets: evidence@1, short answers, marked share, refusals, MRR@10, by `wenqu eval`
    near      the same of questions held out of the reader's training, many of which a near passage does not answer
    evidence  the marked sentence against the gold sentences of cmrc_evidence, in the right article
    script    drcd_dev, written in traditional script, asked in both scripts
    refusal   the questions of rgb_zh asked of the corpus of cmrc_dev beside that set's own
    followups the dialogues of followups.jsonl, their last question as typed, as understood, and asked whole
    haystack  xquad_even among the news articles of the training data
    speed     passages and queries encoded, the ranker's share of a query, bytes of the models

Without a table all are printed. Sets are folders of --eval in the format of `wenqu eval`; indexes stay under --work,
so that a second run is quick. bm25s over jieba's words, without fields, is the baseline: another implementation.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import bm25s
import numpy as np
import opencc
from training_data import DEFAULT_DATA, read_held_out_of_reading, read_news

from bot.answer import evidence, features, retrieve
from bot.answer.followup import standalone
from bot.answer.query import understand
from bot.corpus.passages import cut
from bot.errors import IndexMismatch
from bot.evaluation import Question, auroc, evaluate, is_relevant, read_questions
from bot.index.candidates import candidates
from bot.index.embedder import BUNDLED_FOLDER, StaticEmbedder
from bot.pipeline import Bot
from bot.settings import load_settings
from bot.text import segmenter
from bot.text.fold import fold
from bot.types import Turn

ROOT = Path(__file__).resolve().parents[1]

SETS = ["qingdao", "xquad_even", "cmrc_dev", "drcd_dev", "bipar_valid", "rgb_zh", "news_qa", "web_queries"]
SUITE = "everyday"
# The sets of the training data in which some questions are not answered by the context that they stand beside.
NEAR_SETS = ["checklist_train", "cjrc"]
READING = ["evidence@1", "short_shown", "short_exact", "short_f1", "false_refusal", "marked_share", "mrr@10"]
READING += ["auroc", "false_answer"]
SEED = 1
# Questions that stand alone, each asked after one of another set. Those of bipar_valid are asked of a page of a novel
# that lies open (他们要去哪儿?), so they do not.
STANDALONE = 200
STANDALONE_SETS = ["qingdao", "rgb_zh", "cmrc_dev", "drcd_dev", "xquad_even", "news_qa", "web_queries"]
Scores = dict[int, float]


def ready_bot(options: argparse.Namespace, corpus: Path, name: str, size: int) -> Bot:
    """A bot over a corpus, its index built where it is missing, old or of an earlier model."""
    bot = Bot(load_settings(corpus=corpus, index=options.work / f"{name}-{size}", passage_size=size), options.embedder)
    try:
        bot.refresh()
    except IndexMismatch:
        (options.work / f"{name}-{size}" / "CURRENT").unlink()
        bot.refresh()
    return bot


def sampled(questions: list[Question], limit: int | None) -> list[Question]:
    """At most `limit` questions, always the same ones; all in a random order without a limit."""
    return random.Random(SEED).sample(questions, min(len(questions), limit or len(questions)))


class Baseline:
    """bm25s (Lucene's BM25) over jieba's words of title, heading and text: no fields, no bigrams, no folding."""

    def __init__(self, bot: Bot) -> None:
        store = bot.live.get().store
        self.rows = range(int(bot.live.get().manifest["passages"]))
        self.index = bm25s.BM25()
        texts = [f"{one.about}\n{one.text}" for one in store.passages(self.rows)]
        self.index.index([self._words(text) for text in texts], show_progress=False)

    @staticmethod
    def _words(text: str) -> list[str]:
        return [word for word in segmenter.reference().cut(text.lower()) if word.strip()]

    def search(self, question: str) -> Scores:
        """Row -> BM25 of the ten best passages."""
        k = min(10, len(self.rows))
        rows, scores = self.index.retrieve([self._words(question)], k=k, show_progress=False)
        return {int(row): float(score) for row, score in zip(rows[0], scores[0], strict=True) if score > 0}


class Prepared:
    """One set at one passage size: for each answerable question its candidates and which of them are relevant."""

    def __init__(self, options: argparse.Namespace, name: str, size: int) -> None:
        folder = options.eval / name
        self.name = name
        bot = ready_bot(options, folder / "corpus", name, size)
        self.bot = bot
        questions = sampled([question for question in read_questions(folder) if question.evidence], options.limit)
        self.questions: list[tuple[Question, Scores, Scores, set[int]]] = []
        self.shipped: dict[str, list[int]] = {}
        for question in questions:
            query = understand(question.text, bot.live.get().store.names)
            vector = retrieve.query_vector(query, options.embedder)
            asked, found = retrieve.looked_up(bot.live.get(), query, vector)
            hits = retrieve.ranked(bot.live.get(), asked, found, 10, bot.reader)
            rank = next((i for i, hit in enumerate(hits, start=1) if is_relevant(question, hit.passage)), 0)
            self.shipped.setdefault(question.lang, []).append(rank)
            rows = sorted({*found.lexical, *found.dense})
            passages = zip(rows, bot.live.get().store.passages(rows), strict=True)
            right = {row for row, passage in passages if is_relevant(question, passage)}
            self.questions.append((question, found.lexical, found.dense, right))

    def ranks(self, fuse: Callable[[Scores, Scores], Scores]) -> dict[str, list[int]]:
        """Language -> the rank (0: past ten) of the first relevant passage of each question."""
        found: dict[str, list[int]] = {}
        for question, lexical, dense, relevant in self.questions:
            fused = fuse(lexical, dense)
            best = sorted(fused, key=lambda row: (-fused[row], row))[:10]
            rank = next((i for i, row in enumerate(best, start=1) if row in relevant), 0)
            found.setdefault(question.lang, []).append(rank)
        return found


def mrr(ranks: Sequence[int]) -> float:
    """Mean reciprocal rank."""
    return float(np.mean([1 / rank if rank else 0.0 for rank in ranks]))


def hit(ranks: Sequence[int], k: int) -> float:
    """Share of ranks from 1 to k."""
    return float(np.mean([0 < rank <= k for rank in ranks]))


def only_lexical(lexical: Scores, dense: Scores) -> Scores:
    """The lexical leg alone."""
    return lexical


def only_dense(lexical: Scores, dense: Scores) -> Scores:
    """The dense leg alone, by the rows that it brought itself or that the lexical leg brought."""
    return dense


def overlap_f1(left: str, right: str) -> float:
    """F1 over the characters of two texts."""
    common = sum((Counter(left) & Counter(right)).values())
    return 2 * common / (len(left) + len(right)) if common else 0.0


def evidence_table(options: argparse.Namespace) -> int:
    """Print evidence F1, answer inside the marked text, and share of the article marked.

    The article is cut as it is for the index; the passage counts in which the reader finds the best answer.
    """
    folder = options.eval / "cmrc_evidence"
    bot = ready_bot(options, folder / "corpus", folder.name, options.size)
    f1, inside, share = [], [], []
    for line in (folder / "questions.jsonl").read_text(encoding="utf-8").splitlines()[: options.limit]:
        row = json.loads(line)
        document = bot.document(f"{row['article']}.txt")
        assert document is not None
        query = understand(row["question"], {})
        vector, asked = retrieve.query_vector(query, options.embedder), features.QueryFeatures.from_query(query)
        passages = cut(document, options.size)
        found = evidence.mark(asked, passages, vector, options.embedder, bot.reader)
        best = max(range(len(found)), key=lambda i: read.worth if (read := found[i].read) else 0.0)
        text = passages[best].text
        marked = fold("".join(text[span.start : span.end] for span in found[best].spans))
        f1.append(max(overlap_f1(marked, fold(gold)) for gold in row["gold_evidence"]))
        inside.append(any(fold(answer) in marked for answer in row["evidence_any"]))
        share.append(len(marked) / len(document.text))
    print(f"questions {len(f1)}, F1 {np.mean(f1):.4f}, answer inside {np.mean(inside):.4f}, share {np.mean(share):.4f}")
    return 0


def baseline_ranks(prepared: Prepared) -> dict[str, list[int]]:
    """Language -> the rank of the first relevant passage by the baseline."""
    baseline = Baseline(prepared.bot)
    found: dict[str, list[int]] = {}
    for question, *_ in prepared.questions:
        rows = list(baseline.search(question.text))
        passages = prepared.bot.live.get().store.passages(rows)
        rank = next((i for i, passage in enumerate(passages, start=1) if is_relevant(question, passage)), 0)
        found.setdefault(question.lang, []).append(rank)
    return found


def suite_of(options: argparse.Namespace) -> list[str]:
    """The names of the suite's cases, if all sets are measured."""
    cases = sorted(folder for folder in (options.eval / SUITE).glob("*") if (folder / "questions.jsonl").is_file())
    return [f"{SUITE}/{folder.name}" for folder in cases] if options.sets == SETS else []


def legs(options: argparse.Namespace) -> int:
    """Print the table of legs, with each case of the suite; the number of rows in which the hybrid is below a leg."""
    ways = ["bm25s", "lexical", "dense", "hybrid"]
    print("| set | lang | n | " + " | ".join(f"{way} hit@1 | hit@3 | hit@5 | MRR@10" for way in ways) + " |")
    print("|---|---|---|" + "---|" * 4 * len(ways))
    below = below_baseline = 0
    for name in [*options.sets, *suite_of(options)]:
        prepared = Prepared(options, name, options.size)
        found = {
            "bm25s": baseline_ranks(prepared),
            "lexical": prepared.ranks(only_lexical),
            "dense": prepared.ranks(only_dense),
            "hybrid": prepared.shipped,
        }
        for lang in sorted(found["hybrid"], reverse=True):
            cells = [
                " | ".join(f"{v:.4f}" for v in (*(hit(r[lang], k) for k in (1, 3, 5)), mrr(r[lang])))
                for r in found.values()
            ]
            print(f"| {name} | {lang} | {len(found['hybrid'][lang])} | " + " | ".join(cells) + " |", flush=True)
            best = max(mrr(found[leg][lang]) for leg in ("lexical", "dense"))
            below += mrr(found["hybrid"][lang]) < best
            below_baseline += mrr(found["hybrid"][lang]) < mrr(found["bm25s"][lang])
    print(f"\nrows in which the hybrid's MRR@10 is below a leg's: {below}, below bm25s's: {below_baseline}")
    return below


def answers(options: argparse.Namespace) -> int:
    """Print what `wenqu eval` says of the answers to the article's questions."""
    bot = ready_bot(options, options.eval / "qingdao" / "corpus", "qingdao", options.size)
    result = evaluate(bot, read_questions(options.eval / "qingdao"))
    names = ("hit@1", "hit@3", "evidence@1", "marked_share", "false_refusal", "false_answer", "auroc", "p50_ms")
    print("| qingdao | n | " + " | ".join(names) + " |\n|---|---|" + "---|" * len(names))
    for part, figures in result.items():
        print(f"| {part} | {figures['n']} | " + " | ".join(f"{figures[name]}" for name in names) + " |")
    return 0


def reading(options: argparse.Namespace) -> int:
    """Print what `wenqu eval` says of the answers to each set's questions, in each language."""
    return print_reading(options, [options.eval / name for name in options.sets])


def near(options: argparse.Namespace) -> int:
    """Print the same of the held-out questions of two reading sets, over one corpus of all their contexts.

    A question that its own context does not answer counts as unanswerable, whatever the other contexts say.
    """
    return print_reading(options, [write_held_out(options, "near_passage", NEAR_SETS)])


def write_held_out(options: argparse.Namespace, name: str, sets: Iterable[str]) -> Path:
    """An evaluation folder of the questions of reading sets that the reader was not trained on."""
    folder: Path = options.work / name
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "corpus").mkdir(parents=True)
    articles: dict[str, str] = {}
    lines = []
    for text, context, answers in (row for one in sets for row in read_held_out_of_reading(options.data, one)):
        if context not in articles:
            articles[context] = f"{len(articles):06d}"
            (folder / "corpus" / f"{articles[context]}.txt").write_text(context, encoding="utf-8")
        row = {"id": str(len(lines)), "question": text, "lang": "zh", "kind": "fact", "evidence_any": answers}
        lines.append(json.dumps({**row, "article": articles[context]}, ensure_ascii=False) + "\n")
    (folder / "questions.jsonl").write_text("".join(lines), encoding="utf-8")
    return folder


def print_reading(options: argparse.Namespace, folders: Iterable[Path]) -> int:
    """Print a row of figures for each evaluation folder and language."""
    print("| set | lang | n | " + " | ".join(READING) + " |\n|---|---|---|" + "---|" * len(READING))
    for folder in folders:
        bot = ready_bot(options, folder / "corpus", folder.name, options.size)
        found = evaluate(bot, sampled(read_questions(folder), options.limit))
        for lang in [name for name in found if name != "all"]:
            values = [found[lang][name] for name in READING]
            cells = ["—" if value is None else f"{value:.4f}" for value in values]
            print(f"| {folder.name} | {lang} | {found[lang]['n']} | " + " | ".join(cells) + " |", flush=True)
    return 0


def script(options: argparse.Namespace) -> int:
    """Print MRR@10 of drcd_dev asked as it is written and in simplified script."""
    bot = ready_bot(options, options.eval / "drcd_dev" / "corpus", "drcd_dev", options.size)
    simplified = opencc.OpenCC("t2s")
    found: dict[str, list[int]] = {"traditional": [], "simplified": []}
    for question in read_questions(options.eval / "drcd_dev")[: options.limit]:
        for name, text in (("traditional", question.text), ("simplified", simplified.convert(question.text))):
            hits = bot.search(text, 10)
            rank = next((i for i, hit in enumerate(hits, start=1) if is_relevant(question, hit.passage)), 0)
            found[name].append(rank)
    print(", ".join(f"{name} {mrr(ranks):.4f}" for name, ranks in found.items()))
    return 0


def refusal_table(options: argparse.Namespace) -> int:
    """Print AUROC and the two error rates of the shipped threshold."""
    bot = ready_bot(options, options.eval / "cmrc_dev" / "corpus", "cmrc_dev", options.size)
    own = [q.text for q in sampled(read_questions(options.eval / "cmrc_dev"), options.limit)]
    others = [q.text for q in read_questions(options.eval / "rgb_zh")]
    yes, no = ([bot.ask(text).confidence for text in texts] for texts in (own, others))
    threshold = bot.settings.threshold
    print(
        f"answerable {len(yes)}, unanswerable {len(no)}, AUROC {auroc(yes, no):.4f}, "
        f"false refusal {np.mean(np.array(yes) < threshold):.4f}, false answer {np.mean(np.array(no) >= threshold):.4f}"
    )
    return 0


def haystack(options: argparse.Namespace) -> int:
    """Print MRR@10 of xquad_even alone and among the news articles."""
    corpus = options.work / "haystack-corpus"
    if not corpus.is_dir():
        shutil.copytree(options.eval / "xquad_even" / "corpus", corpus)
        for number, text in enumerate(read_news(options.data)):
            folder = corpus / f"news{number // 1000:03d}"
            folder.mkdir(exist_ok=True)
            (folder / f"{number:06d}.txt").write_text(text, encoding="utf-8")
    bots = {
        "alone": ready_bot(options, options.eval / "xquad_even" / "corpus", "xquad_even", options.size),
        "among the news": ready_bot(options, corpus, "haystack", options.size),
    }
    questions = sampled(read_questions(options.eval / "xquad_even"), options.limit)
    print("| xquad_even | passages | zh MRR@10 | en MRR@10 | p50 ms | p99 ms |\n|---|---|---|---|---|---|")
    for label, bot in bots.items():
        result = evaluate(bot, questions)
        cells = [result["zh"]["mrr@10"], result["en"]["mrr@10"], result["all"]["p50_ms"], result["all"]["p99_ms"]]
        print(f"| {label} | {bot.live.get().manifest['passages']} | " + " | ".join(map(str, cells)) + " |", flush=True)
    return 0


def ranked(bot: Bot, question: str, row: dict[str, Any]) -> int:
    """The rank (0: past three) of the first passage that holds the evidence of a dialogue's second question."""
    asked = Question("", question, row["lang"], "", tuple(row["evidence_any"]), ())
    hits = bot.search(question, 3)
    return next((i for i, hit in enumerate(hits, start=1) if is_relevant(asked, hit.passage)), 0)


def answered(bot: Bot, question: str, row: dict[str, Any]) -> bool:
    """Whether the bot answers a question of a dialogue with a text that holds the evidence."""
    answer = bot.ask(question)
    return not answer.refused and any(fold(evidence) in fold(answer.text) for evidence in row["evidence_any"])


def followups(options: argparse.Namespace) -> int:
    """Print hit@1, hit@3 and right answers of the dialogues, by how their last question is put to the search.

    As it was typed; as it is understood after the turns before it; and whole, as one would ask it alone. Then how many
    of 200 questions that stand alone are altered.
    """
    lines = (ROOT / "scripts" / "followups.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    ways = ("typed", "understood", "whole")
    print("| dialogues over | n | " + " | ".join(f"{way} hit@1 | hit@3 | answered" for way in ways) + " |")
    print("|---|---|" + "---|---|---|" * len(ways))
    missed = []
    for suite, own in groupby(rows, key=lambda row: row["set"].split("/")[0]):
        ranks: dict[str, list[int]] = {way: [] for way in ways}
        right = Counter[str]()
        bots: dict[str, Bot] = {}
        for row in (group := list(own)):
            name = row["set"]
            bot = bots.get(name) or ready_bot(options, options.eval / name / "corpus", name, options.size)
            bots[name] = bot
            turns: list[Turn] = []
            for said in (row["first"], *row.get("between", ())):
                turns.append(bot.ask(said, turns).turn)
            understood = standalone(row["second"], turns)
            for way, question in zip(ways, (row["second"], understood, row["whole"]), strict=True):
                ranks[way].append(ranked(bot, question, row))
                right[way] += (found := answered(bot, question, row))
                if way == "understood" and not found:
                    missed.append(f"- not answered: {row['first']} {row['second']} -> {understood}")
        cells = [[hit(ranks[way], 1), hit(ranks[way], 3), right[way] / len(group)] for way in ways]
        print(f"| {suite} | {len(group)} | " + " | ".join(f"{cell:.3f}" for three in cells for cell in three) + " |")
    print("\n".join(missed))
    return altered(options)


def altered(options: argparse.Namespace) -> int:
    """Print which of 200 stand-alone questions are changed after one of another set; how many they are."""
    chance = random.Random(SEED)
    texts = {name: [question.text for question in read_questions(options.eval / name)] for name in STANDALONE_SETS}
    changed = []
    for number in range(STANDALONE):
        name = STANDALONE_SETS[number % len(STANDALONE_SETS)]
        first = chance.choice(texts[chance.choice([other for other in STANDALONE_SETS if other != name])])
        second = chance.choice(texts[name])
        understood = standalone(second, [Turn(first, "")])
        if understood != second:
            changed.append(f"- altered: {first} {second} -> {understood}")
    print(f"stand-alone questions altered: {len(changed)} of {STANDALONE}", *changed, sep="\n")
    return len(changed)


def seconds(work: Callable[[], Any], runs: int = 5) -> float:
    """The median time of a call."""
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return float(np.median(times))


def speed(options: argparse.Namespace) -> int:
    """Print how fast texts are encoded and ranked, and how large the models are."""
    texts = ["".join(text.split())[:300] for text in read_news(options.data, 6_000)]
    texts = [text for text in texts if len(text) == 300][:5_000]
    rate = len(texts) / seconds(lambda: options.embedder.encode_passages(texts), runs=3)
    bot = ready_bot(options, options.eval / "cmrc_dev" / "corpus", "cmrc_dev", options.size)
    questions = [q.text for q in read_questions(options.eval / "cmrc_dev")][:300]
    queries = [understand(text, bot.live.get().store.names) for text in questions]
    encode = seconds(lambda: [options.embedder.encode_query(query.folded) for query in queries]) / len(queries)
    found = []
    for query in queries:
        one = candidates(bot.live.get(), query, retrieve.query_vector(query, options.embedder))
        rows = sorted(one.dense, key=lambda row: -one.dense[row])[: retrieve.READ]
        found.append((query, dict(zip(rows, bot.live.get().store.passages(rows), strict=True)), one))

    def ranked() -> None:
        for query, passages, one in found:
            asked = features.QueryFeatures.from_query(query)
            for reading in retrieve.read_passages(asked, passages, one).values():
                features.passage_score(reading)

    rank = seconds(ranked) / len(found)
    models = sum(file.stat().st_size for file in BUNDLED_FOLDER.parent.rglob("*") if file.is_file()) / 1e6
    print(
        f"{rate:,.0f} passages of 300 characters a second; a query encoded in {encode * 1000:.3f} ms, "
        f"ranked in {rank * 1000:.2f} ms; models {models:.1f} MB"
    )
    return 0


TABLES = {
    "legs": legs,
    "answers": answers,
    "reading": reading,
    "near": near,
    "evidence": evidence_table,
    "script": script,
    "refusal": refusal_table,
    "followups": followups,
    "haystack": haystack,
    "speed": speed,
}


def options_of(description: str | None, tables: Iterable[str]) -> argparse.Namespace:
    """The command line of this script and of compare.py."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="*", metavar="TABLE", help=" ".join(tables))
    parser.add_argument("--eval", type=Path, default=ROOT.parent / "shared" / "eval")
    parser.add_argument("--data", type=Path, default=DEFAULT_DATA)
    parser.add_argument("--work", type=Path, default=ROOT / "index" / "eval")
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--size", type=int, default=load_settings().passage_size)
    parser.add_argument("--limit", type=int, default=None, help="most questions of a set")
    parser.add_argument("--embedder", type=Path, default=BUNDLED_FOLDER, help="folder of a static model")
    options = parser.parse_args()
    if unknown := set(options.tables) - set(tables):
        parser.error(f"no table {', '.join(unknown)}; one of {' '.join(tables)}")
    options.embedder = StaticEmbedder(options.embedder)
    return options


def main() -> int:
    """Print the tables; the exit status counts the rows in which the hybrid is below a leg."""
    options = options_of(__doc__, TABLES)
    failed = 0
    for name in options.tables or TABLES:
        print(f"\n## {name}\n", flush=True)
        failed += TABLES[name](options)
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
