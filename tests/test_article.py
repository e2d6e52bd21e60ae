"""What a reader sees of a document: its blocks in the API and on the page without script, its tables in columns."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bs4 import BeautifulSoup
from fastapi.testclient import TestClient
from written import bot_over

from bot.channels.message import PLAIN, render
from bot.corpus.blocks import BlockWriter, Parsed
from bot.corpus.columns import columns_of
from bot.corpus.tables import Cell
from bot.web.app import create_app
from bot.web.article import AROUND


def cells(*rows: str) -> list[list[Cell]]:
    return [[Cell(text) for text in row.split(",")] for row in rows]


def scores() -> Parsed:
    """Two pages: a table whose rows lack cells, a form, a list, code."""
    writer = BlockWriter()
    writer.begin_page()
    writer.heading("录取分数", 1)
    writer.add("caption", "表1 最低分")
    writer.table(cells("专业名称,文史类最低,理工类最低", "法学,612,598", "临床医学,,640", "汉语言文学,605,"), 1)
    writer.begin_page()
    writer.heading("报名办法", 2)
    writer.item("登录网站填写考生号<b>。", "（一）")
    writer.item("照片为JPG格式。", "1.", 2)
    writer.code("if 已提交:\n    等待()")
    writer.table(cells("单位,招生处,电话,12345678", "地址,某路1号,邮编,100000"), 0)
    return writer.parsed("录取分数😀")


@pytest.fixture(scope="module")
def bot(tmp_path_factory, embedder):
    return bot_over(tmp_path_factory.mktemp("scores"), embedder, {"scores.pdf": scores()})


@pytest.fixture(scope="module")
def client(bot):
    with TestClient(create_app(bot)) as client:
        yield client


def test_rows_line_up_although_empty_and_merged_cells_are_missing():
    full, lacks, merged, wide = ("名", "甲", "乙"), ("名", "乙"), ("名", "甲/乙"), ("",)
    columns = columns_of([full, lacks, merged, wide])
    assert columns.names == full
    assert columns.places[lacks] == ((0, 1), (2, 1))
    assert columns.places[merged] == ((0, 1), (1, 2))
    assert columns.places[wide] == ((0, 3),)


def test_a_column_that_no_whole_row_has_stands_after_the_one_before_it():
    rows = [("名", "甲", "丙"), ("名", "乙", "丙"), ("名", "甲", "丙"), ("名", "丙", "丁")]
    columns = columns_of(rows)
    assert sorted(columns.names.index(name) for name in "甲乙") == [1, 2]
    assert columns.names[0] + "".join(columns.names[3:]) == "名丙丁"


def test_a_form_has_no_columns_and_its_names_stand_before_its_values():
    columns = columns_of([("单位", "电话"), ("地址",)])
    assert columns.names == ()
    assert columns.places == {("单位", "电话"): ((1, 1), (3, 1)), ("地址",): ((1, 3),)}


def test_the_api_gives_the_blocks_with_exact_offsets(client, bot):
    (hit,) = bot.search("临床医学理工类最低", 1)
    article = client.get(f"/api/source/{hit.passage.id}").json()["article"]
    text, blocks = article["text"], article["blocks"]
    assert article["whole"]
    assert [text[page:].lstrip()[:2] for page in article["pages"]] == ["录取", "报名"]
    assert [block["kind"] for block in blocks][:3] == ["heading", "caption", "row"]
    row = next(block for block in blocks if "临床" in text[block["start"] : block["end"]])
    assert [text[start:end] for start, end in row["cells"]] == ["临床医学", "640"]
    assert row["columns"] == [[0, 1], [2, 1]]
    assert article["tables"] == {"1": ["专业名称", "文史类最低", "理工类最低"], "2": []}
    assert [(one["number"], one["level"]) for one in blocks if one["kind"] == "item"] == [("（一）", 1), ("1.", 2)]


def test_the_page_without_script_shows_the_blocks_and_the_marks(client, bot):
    (hit,) = bot.search("临床医学理工类最低", 1)
    passage = hit.passage
    start = passage.text.index("专业名称: 临床")
    page = client.get(f"/source/{passage.id}?mark={start}-{start + len('专业名称: 临床医学; 理工类最低: 640')}")
    soup = BeautifulSoup(page.text, "html.parser")
    assert [mark.text for mark in soup.find_all("mark")] == ["临床医学", "640"]
    assert [cell.text for cell in soup.find(id="cited").find_all("td")] == ["临床医学", "", "640"]
    first, form = soup.find_all("table")
    assert [name.text for name in first.thead.find_all("th")] == ["专业名称", "文史类最低", "理工类最低"]
    assert [name.text for name in form.find_all("th")] == ["单位", "电话", "地址", "邮编"]
    assert [item.text for item in soup.find_all("li")] == ["（一）登录网站填写考生号<b>。", "1. 照片为JPG格式。"]
    assert soup.pre.text == "if 已提交:\n    等待()"
    assert [mark.text for mark in soup.select(".page")] == ["第 1 页 / page 1", "第 2 页 / page 2"]


def test_of_a_book_only_what_is_around_the_passage_is_sent(tmp_path, embedder):
    writer = BlockWriter()
    for number in range(3_000):
        writer.paragraph(f"第{number}段。" + "说的是别的事情。" * 12)
    writer.paragraph("赵州桥由李春设计。")
    book = bot_over(tmp_path, embedder, {"book.txt": writer.parsed("书")})
    (hit,) = book.search("赵州桥由谁设计", 1)
    with TestClient(create_app(book)) as client:
        article = client.get(f"/api/source/{hit.passage.id}").json()["article"]
    assert not article["whole"]
    assert article["blocks"][0]["start"] == hit.passage.start - AROUND
    assert len(article["text"]) > 2 * AROUND


def test_a_source_says_the_page_of_its_sentence(tmp_path, embedder):
    writer = BlockWriter()
    writer.begin_page()
    writer.paragraph("通知。为方便考生，现将有关事项说明如下。")
    first = "报名在网上进行，不设现场报名。"
    writer.paragraph(f"{first}考生须在九月十日前缴纳报名费160元。", breaks=[len(first)])
    two = bot_over(tmp_path, embedder, {"notice.pdf": writer.parsed("报名通知")})
    answer = two.ask("报名费多少元?")
    (evidence,) = answer.evidence
    assert evidence.hit.passage.page == 1
    assert answer.to_dict()["evidence"][0]["page"] == 2
    assert render(answer, PLAIN).split("\n\n")[-1].startswith("[1] 报名通知 · 第 2 页\n")
    assert "[1] 报名通知 · page 2\n" in render(replace(answer, query="How much is the fee?"), PLAIN)
