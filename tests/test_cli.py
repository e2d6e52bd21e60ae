"""bot.cli.commands as a user runs it: a process of its own, what it prints, how it ends."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import write_articles
from rich.console import Console

from bot.cli import document
from bot.corpus.blocks import BlockWriter
from bot.corpus.loss import loss
from bot.corpus.passages import cut
from bot.types import Document

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a corpus whose index is built by the first command that runs."""
    folder = tmp_path_factory.mktemp("cli")
    write_articles(folder / "corpus")
    return folder


def wenqu(home: Path, *arguments: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    settings = {"WENQU_CORPUS": str(home / "corpus"), "WENQU_INDEX": str(home / "index"), **environment}
    return subprocess.run(
        [sys.executable, "-m", "bot", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, **settings},
        cwd=Path(__file__).parents[1],
        timeout=120,
    )


def assert_one_clear_line(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    for word in words:
        assert word in done.stderr


def test_ask_prints_the_answer_first_and_marks_the_evidence(home):
    done = wenqu(home, "ask", "赵州桥由谁设计?")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "隋代工匠李春"
    assert lines[1].endswith("[1]")
    assert "【" in done.stdout
    assert "\x1b" not in done.stdout  # piped output is plain
    assert "bridge.md" in done.stdout


def test_ask_json_is_the_answer(home):
    done = wenqu(home, "ask", "--json", "who designed 赵州桥")
    assert json.loads(done.stdout)["evidence"][0]["passage"]["article"] == "bridge.md"


def test_a_refusal_ends_with_zero(home):
    done = wenqu(home, "ask", "红烧肉怎么做")
    assert (done.returncode, done.stdout.strip()) == (0, "资料中没有找到相关内容。")


def test_a_plain_question_never_imports_torch(home):
    code = (
        "import sys; sys.argv = ['wenqu', 'ask', '赵州桥由谁设计?']\n"
        "from bot.cli.commands import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'transformers', 'sentence_transformers', 'fastapi', 'prompt_toolkit'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    environment = {**os.environ, "WENQU_CORPUS": str(home / "corpus"), "WENQU_INDEX": str(home / "index")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=120)
    assert done.stdout.splitlines()[-1] == "[]", done.stdout + done.stderr


def test_index_says_what_it_did_and_when_there_is_nothing_to_do(tmp_path):
    write_articles(tmp_path / "corpus")
    (tmp_path / "corpus" / "bad.txt").write_bytes(bytes(range(256)) * 20)
    first = wenqu(tmp_path, "index")
    assert "3 份资料" in first.stdout
    assert "bad.txt: E-BINARY" in first.stdout
    assert "up to date" in wenqu(tmp_path, "index").stdout
    assert "gen-000002" in wenqu(tmp_path, "index", "--force").stdout


def test_damage_is_said_and_mended_by_whatever_command_meets_it(tmp_path):
    write_articles(tmp_path / "corpus")
    for _ in range(2):
        wenqu(tmp_path, "index", "--force")
    (tmp_path / "index" / "gen-000002" / "passages.sqlite").write_bytes(b"x")
    info = json.loads(wenqu(tmp_path, "info", "--json").stdout)  # nothing is mended by looking
    assert info["index"]["generation"] == "gen-000001"
    assert "passages.sqlite" in info["degraded"]["index"]
    asked = wenqu(tmp_path, "ask", "--json", "赵州桥由谁设计")
    assert json.loads(asked.stdout)["generation"] == "gen-000003"
    assert "passages.sqlite" in asked.stderr
    (tmp_path / "index" / "CURRENT").write_bytes(b"")
    rebuilt = wenqu(tmp_path, "index")
    assert "CURRENT" in rebuilt.stderr
    assert (rebuilt.returncode, "gen-000004" in rebuilt.stdout) == (0, True)


def test_search_shows_both_legs(home):
    done = wenqu(home, "search", "西安地铁", "-k", "2")
    assert "lexical #1" in done.stdout
    assert "dense #1" in done.stdout
    hits = json.loads(wenqu(home, "search", "--json", "西安地铁").stdout)
    assert hits[0]["rank_lexical"] == 1


def test_search_explain_says_why_and_json_says_the_same(home):
    done = wenqu(home, "search", "--explain", "when did the Xi'an subway open", "-k", "1")
    assert done.returncode == 0, done.stderr
    assert "≥ 阈值 / threshold 0.4: 回答 / answered" in done.stdout
    row = next(line.split() for line in done.stdout.splitlines() if line.strip().startswith("xi'an"))
    assert row[1:3] == ["西安", "1.00"]
    assert "标题 title" in done.stdout
    explained = json.loads(wenqu(home, "search", "--explain", "--json", "红烧肉怎么做").stdout)
    assert explained["refused"] is True
    assert "红烧肉" in explained["hits"][0]["missing"]
    refused = wenqu(home, "search", "--explain", "红烧肉怎么做").stdout
    assert "< 阈值 / threshold 0.4: 拒答 / refused" in refused
    assert "缺少 / missing" in refused


def test_the_dictionary_is_taken_up_and_shown(tmp_path):
    write_articles(tmp_path / "corpus")
    wenqu(tmp_path, "index")
    write_articles(tmp_path / "corpus", {"dictionary.txt": "跨径\n长安 = 西安\n长安 = \n"})
    done = wenqu(tmp_path, "ask", "长安地铁二号线何时开通?")
    assert "3 个词 / words, 1 个别名 / aliases" in done.stderr
    assert "dictionary.txt:3" in done.stderr
    assert "skipped" not in done.stderr.replace("0 个跳过 / skipped", "")
    assert "西安地铁二号线于2011年9月16日开通" in done.stdout
    report = json.loads(wenqu(tmp_path, "info", "--json").stdout)
    assert report["dictionary"] == {"words": 3, "aliases": 1, "entries": ["跨径", "长安 = 西安"]}
    assert list(report["dictionary_problems"]) == ["dictionary.txt:3"]
    assert "跨径; 长安 = 西安" in wenqu(tmp_path, "info").stdout


def test_info_names_index_model_and_settings(home):
    wenqu(home, "index")
    report = json.loads(wenqu(home, "info", "--json").stdout)
    assert report["index"]["articles"] == 3
    assert report["index"]["segmenter"].startswith("jieba 0.42")
    assert report["settings"]["engine"] == "faiss"
    assert "passages" in wenqu(home, "info").stdout


def test_eval_measures_and_gates(home, tmp_path):
    row = {"id": "1", "question": "赵州桥由谁设计?", "lang": "zh", "kind": "fact", "evidence_any": ["李春"]}
    (tmp_path / "questions.jsonl").write_text(json.dumps(row), encoding="utf-8")
    arguments = ("eval", str(tmp_path), "--corpus", str(home / "corpus"), "--index", str(tmp_path / "index"))
    done = wenqu(home, *arguments, "--json", "--fail-under", "hit@1=1")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["all"]["hit@1"] == 1.0
    missed = wenqu(home, *arguments, "--fail-under", "p99_ms=0.0001")
    assert missed.returncode == 1
    assert re.search("false_answer +│ +— ", missed.stdout)  # nothing to measure it on
    assert "p99_ms" in missed.stderr


def test_eval_builds_its_own_index_anew_for_other_settings(home, tmp_path):
    write_articles(tmp_path / "set" / "corpus")
    row = {"id": "1", "question": "赵州桥由谁设计?", "lang": "zh", "kind": "fact", "evidence_any": ["李春"]}
    (tmp_path / "set" / "questions.jsonl").write_text(json.dumps(row, ensure_ascii=False), encoding="utf-8")
    first = wenqu(home, "eval", str(tmp_path / "set"), "--json")
    again = wenqu(home, "eval", str(tmp_path / "set"), "--json", WENQU_PASSAGE_SIZE="200")
    assert first.returncode == again.returncode == 0, again.stderr
    assert "重建" in again.stderr
    assert json.loads(again.stdout)["zh"]["hit@1"] == 1.0


def test_calibrate_fits_the_refusal_or_says_what_is_missing(tmp_path):
    write_articles(tmp_path / "corpus")
    rows = [(f"赵州桥由谁设计{'?' * n}", ["李春"]) for n in range(11)]
    assert_one_clear_line(_calibrate(tmp_path, rows), "evidence_any")
    done = _calibrate(tmp_path, rows + [(f"第{n}种红烧肉怎么做", []) for n in range(11)])
    assert done.returncode == 0, done.stderr
    assert "11 个有答案" in done.stdout
    assert json.loads((tmp_path / "index" / "refusal.json").read_text(encoding="utf-8")).keys() == {"zh", "en"}


def _calibrate(home: Path, rows: list[tuple[str, list[str]]]) -> subprocess.CompletedProcess[str]:
    lines = [
        json.dumps({"id": str(i), "question": question, "lang": "zh", "kind": "", "evidence_any": evidence})
        for i, (question, evidence) in enumerate(rows)
    ]
    (home / "questions.jsonl").write_text("\n".join(lines), encoding="utf-8")
    wenqu(home, "index")
    return wenqu(home, "calibrate", str(home))


@pytest.mark.parametrize(
    ("question", "word"), [("", "empty"), ("？！。", "empty"), ("合" * 30_000, "30000"), ("合\udcff肥", "invalid")]
)
def test_a_bad_question_is_one_clear_line(home, question, word):
    assert_one_clear_line(wenqu(home, "ask", question), word)


def test_a_missing_corpus_an_unknown_model_and_a_bad_setting_name_the_cure(home, tmp_path):
    assert_one_clear_line(wenqu(tmp_path, "ask", "你好", WENQU_CORPUS=str(tmp_path / "none")), "mkdir", "WENQU_CORPUS")
    assert_one_clear_line(wenqu(home, "ask", "你好", WENQU_ENGINE="elastic"), "exact", "milvus")
    assert_one_clear_line(wenqu(home, "ask", "你好", WENQU_PORT="much"), "WENQU_PORT")


def test_an_empty_corpus_names_the_cure(tmp_path):
    (tmp_path / "corpus").mkdir()
    assert_one_clear_line(wenqu(tmp_path, "ask", "你好"), ".txt")


def test_an_index_of_another_passage_size_is_not_built_over(home):
    wenqu(home, "index")
    before = (home / "index" / "CURRENT").read_text()
    assert_one_clear_line(wenqu(home, "ask", "你好", WENQU_PASSAGE_SIZE="200"), "passage_size", "wenqu index")
    assert (home / "index" / "CURRENT").read_text() == before


def test_chat_reads_questions_from_a_pipe(home):
    done = wenqu(
        home, "chat", stdin="合" * 100_000 + "\n赵州桥由谁设计?\n\n/sources\n/search 地铁\n/nonsense\n？\n/help\n"
    )
    assert done.returncode == 0, done.stderr
    assert "李春" in done.stdout
    assert "lexical" in done.stdout
    assert "100000" in done.stdout
    assert "unknown command" in done.stdout
    assert "the question is empty" in done.stdout
    assert "问>" not in done.stdout


def test_an_ascii_locale_does_not_break_chinese(home):
    done = wenqu(home, "ask", "赵州桥由谁设计?", LC_ALL="C", PYTHONUTF8="0", PYTHONIOENCODING="ascii")
    assert "李春" in done.stdout


def test_no_command_shows_the_help_without_loading_anything():
    done = subprocess.run([sys.executable, "-X", "importtime", "-m", "bot", "--help"], capture_output=True, text=True)
    assert "ask" in done.stdout
    for heavy in ("jieba", "faiss", "tantivy", "model2vec", "numpy"):
        assert f" {heavy}\n" not in done.stderr


def test_journal_shows_and_exports_what_chat_could_not_answer(tmp_path):
    write_articles(tmp_path / "corpus")
    looked = wenqu(tmp_path, "journal", "recent")
    assert (looked.returncode, "nothing is recorded" in looked.stdout) == (0, True)
    assert not (tmp_path / "index").exists()  # looking makes no file
    wenqu(tmp_path, "chat", stdin="红烧肉怎么做\n赵州桥由谁设计?\n请问红烧肉怎么做?\n")
    wenqu(tmp_path, "ask", "登月是哪一年")  # scripts ask: not recorded
    lines = wenqu(tmp_path, "journal", "recent").stdout.splitlines()
    assert len(lines) == 3
    assert "terminal" in lines[0]
    assert "请问红烧肉怎么做?" in lines[0]
    assert "refused" in lines[0]
    assert "answered" in lines[1]
    found = json.loads(wenqu(tmp_path, "journal", "unanswered", "--json").stdout)
    assert [(asked["question"], asked["count"]) for asked in found] == [("请问红烧肉怎么做?", 2)]
    assert "2 × " in wenqu(tmp_path, "journal", "unanswered", "--days", "1").stdout
    assert json.loads(wenqu(tmp_path, "journal", "disliked", "--json").stdout) == []
    folder = tmp_path / "missed"
    assert "1 个问题" in wenqu(tmp_path, "journal", "unanswered", "--export", str(folder)).stderr
    measured = wenqu(tmp_path, "eval", str(folder), "--corpus", str(tmp_path / "corpus"), "--json")
    assert json.loads(measured.stdout)["all"]["false_answer"] == 0
    assert_one_clear_line(wenqu(tmp_path, "journal", "unanswered", "--export", str(folder)), "not empty")


def test_journal_clear_asks_first(tmp_path):
    write_articles(tmp_path / "corpus")
    wenqu(tmp_path, "chat", stdin="红烧肉怎么做\n")
    refused = wenqu(tmp_path, "journal", "clear", "--days", "0", stdin="n\n")
    assert refused.returncode == 1
    assert len(json.loads(wenqu(tmp_path, "journal", "recent", "--json").stdout)) == 1
    assert "1" in wenqu(tmp_path, "journal", "clear", "--days", "0", "--yes").stdout
    assert json.loads(wenqu(tmp_path, "journal", "recent", "--json").stdout) == []


def test_journal_off_is_said_and_keeps_no_question(tmp_path):
    write_articles(tmp_path / "corpus")
    wenqu(tmp_path, "chat", stdin="红烧肉怎么做\n", WENQU_JOURNAL="false")
    done = wenqu(tmp_path, "journal", "recent", WENQU_JOURNAL="false")
    assert "WENQU_JOURNAL" in done.stderr
    assert "not kept" in done.stdout
    assert "红烧肉" not in done.stdout


def test_info_shows_the_curated_answers_and_the_lines_not_used(tmp_path):
    write_articles(tmp_path / "corpus", {"a.txt": "龙井茶产于杭州。", "answers.yaml": "- questions: 怎么参观\n"})
    assert "answers.yaml:1: 缺少 / missing: answer, source" in wenqu(tmp_path, "index").stdout
    sections = json.loads(wenqu(tmp_path, "info", "--json").stdout)
    assert sections["curated"]["answers"] == 0
    assert list(sections["curated_problems"]) == ["answers.yaml:1"]


def test_info_shows_a_document_as_it_was_read(tmp_path):
    text = "西湖在杭州。" * 60
    files = {"手册/年假.md": f"# 员工手册\n\n## 年假\n\n{text}\n", "旧.xyz": "x", "手册/病假.txt": "病假有三天。"}
    (tmp_path / "corpus" / "手册").mkdir(parents=True)
    write_articles(tmp_path / "corpus", files)
    assert wenqu(tmp_path, "index").returncode == 0
    for name in ("年假", "手册/年假.md", str(tmp_path / "corpus" / "手册" / "年假.md")):
        lines = wenqu(tmp_path, "info", name).stdout.splitlines()
        assert lines[:3] == ["标题 heading 1  员工手册", "标题 heading 2  年假", f"段落 paragraph  {text}"]
        assert lines[-2:] == ["  标题 / title: 员工手册", "  1 个段落 / passages; 100% 成为段落 / became passages"]
    shown = json.loads(wenqu(tmp_path, "info", "年假", "--json").stdout)
    assert [shown["text"][one["start"] : one["end"]] for one in shown["blocks"]] == ["员工手册", "年假", text]
    assert (shown["kept"], shown["letters"], shown["passages"]) == (306, 306, 1)
    skipped = json.loads(wenqu(tmp_path, "info", "旧", "--json").stdout)
    assert (skipped["code"], ".txt" in skipped["cure"]) == ("E-FORMAT", True)
    several = wenqu(tmp_path, "info", "手册")
    assert (several.returncode, several.stderr.splitlines()[1:]) == (2, ["  手册/年假.md", "  手册/病假.txt"])
    assert_one_clear_line(wenqu(tmp_path, "info", "没有的"), "没有的", "ls -R")


def test_info_reads_a_file_that_is_not_in_the_index(tmp_path):
    write_articles(tmp_path / "corpus", {"a.txt": "龙井茶产于杭州。"})
    write_articles(tmp_path, {"b.txt": "病假有三天。", "c.xyz": "x"})
    for name in ("a.txt", str(tmp_path / "b.txt")):
        assert "不在索引里" in wenqu(tmp_path, "info", name).stdout
    assert "E-FORMAT" in wenqu(tmp_path, "info", str(tmp_path / "c.xyz")).stdout
    assert not (tmp_path / "index").exists()  # looking makes nothing
    wenqu(tmp_path, "index")
    assert "不在索引里" not in wenqu(tmp_path, "info", "a.txt").stdout
    write_articles(tmp_path / "corpus", {"a.txt": "碧螺春产于苏州。"})
    changed = wenqu(tmp_path, "info", "a.txt").stdout
    assert "碧螺春" in changed
    assert "不在索引里" in changed


def test_info_shows_what_was_left_out_in_its_place():
    out = io.StringIO()
    writer = BlockWriter()
    writer.begin_page()
    writer.leave_out("某某医院", "running head")
    writer.heading("总则", 1)
    writer.begin_page()
    writer.leave_out("2", "page number")
    writer.item("报名", "1.")
    parsed = writer.parsed()
    read = Document("a.pdf", "招标文件", parsed.text, "a.pdf", parsed.blocks, parsed.pages, parsed.left_out)
    passages = cut(read)
    shown = document.ReadFile(read, len(passages), loss(read, passages), "字体有误 / odd fonts", is_indexed=True)
    document.render(Console(file=out, soft_wrap=True), shown)
    assert out.getvalue().splitlines() == [
        "── 第 1 页 / page 1 ──",
        "略去 left out (页眉页脚 running head)  某某医院",
        "标题 heading 1  总则",
        "── 第 2 页 / page 2 ──",
        "略去 left out (页码 page number)  2",
        "条目 item 1  1. 报名",
        "",
        "a.pdf",
        "  标题 / title: 招标文件",
        "  1 个段落 / passages; 50% 成为段落 / became passages (页眉页脚 running head 4, 页码 page number 1)",
        "  注意 / note: 字体有误 / odd fonts",
    ]


def test_an_index_that_cannot_be_refreshed_still_answers(tmp_path):
    write_articles(tmp_path / "corpus")
    assert wenqu(tmp_path, "index").returncode == 0
    write_articles(tmp_path / "corpus", {"new.txt": "寒武纪公司于2020年登陆科创板。"})
    (tmp_path / "index" / ".lock").unlink()
    (tmp_path / "index" / ".lock").mkdir()  # even root cannot open a folder as a file
    asked = wenqu(tmp_path, "ask", "--json", "赵州桥由谁设计")
    assert asked.returncode == 0, asked.stderr
    assert json.loads(asked.stdout)["generation"] == "gen-000001"
    assert ".lock" in asked.stderr
    assert_one_clear_line(wenqu(tmp_path, "index"), ".lock", "df -h")
