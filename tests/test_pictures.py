"""Pictures of documents: kept by hash beside the generations, shown where they stood, gone when nothing names them."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import replace

import pytest
from bs4 import BeautifulSoup
from fastapi.testclient import TestClient
from PIL import Image
from written import bot_over

from bot.corpus.blocks import MAX_PICTURE_BYTES, MAX_PICTURES, BlockWriter, Parsed, Picture
from bot.corpus.tables import Cell
from bot.index import changes
from bot.index.pictures import FOLDER
from bot.web.app import create_app


def image(colour: str, kind: str = "PNG", size: tuple[int, int] = (40, 30)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, kind)
    return file.getvalue()


def header_of_png(width: int, height: int) -> bytes:
    """A PNG that says that it is so large, and holds nothing."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return start + struct.pack(">I", 9) + b"IDAT" + bytes(9)


RED, BLUE, GREEN = image("red"), image("blue", "JPEG"), image("green", "WEBP")


def manual() -> Parsed:
    writer = BlockWriter()
    writer.heading("打印机手册", 1)
    writer.paragraph("按下电源键三秒,打印机开机。")
    writer.picture(RED)
    writer.add("caption", "图1 电源键")
    writer.picture(b"<svg xmlns='http://www.w3.org/2000/svg'/>")
    writer.heading("换墨盒", 2)
    writer.paragraph("打开前盖,取出旧墨盒。")
    writer.table([[Cell("型号"), Cell("颜色")], [Cell("M1"), Cell("黑")]], 1)
    writer.picture(BLUE)
    writer.picture(RED)
    return writer.parsed("打印机手册")


@pytest.fixture
def bot(tmp_path, embedder):
    return bot_over(tmp_path, embedder, {"manual.docx": manual()})


def kept(bot) -> set[str]:
    folder = bot.settings.index / FOLDER
    return {file.name for file in folder.iterdir()} if folder.is_dir() else set()


def test_pictures_stand_where_they_stood(bot):
    (evidence,) = bot.ask("打印机怎么开机?").evidence
    assert [picture.caption for picture in evidence.pictures] == ["图1 电源键"]
    with TestClient(create_app(bot)) as client:
        found = client.get(f"/api/source/{evidence.hit.passage.id}").json()["article"]
        red, blue = found["pictures"]
        assert found["text"][red["at"] :].startswith("图1 电源键")
        assert (red["type"], red["width"], red["height"], blue["type"]) == ("image/png", 40, 30, "image/jpeg")
        sent = client.get(f"/picture/{red['hash']}")
        assert (sent.content, sent.headers["content-type"]) == (RED, "image/png")
        assert "immutable" in sent.headers["cache-control"]
        assert sent.headers["x-content-type-options"] == "nosniff"
        assert sent.headers["content-security-policy"].endswith("sandbox")
        page = BeautifulSoup(client.get(f"/source/{evidence.hit.passage.id}").text, "html.parser")
        assert [img["alt"] for img in page.find_all("img")] == ["图1 电源键", "图"]
        assert page.img.parent.find_next_sibling()["class"] == ["caption", "cited"]


def test_a_picture_between_two_rows_stays_in_their_table(tmp_path, embedder):
    writer = BlockWriter()
    writer.table([[Cell("型号"), Cell("颜色")], [Cell("M1"), Cell("黑")], [Cell("M2"), Cell("蓝")]], 1)
    parsed = writer.parsed("墨盒")
    moved = replace(parsed, pictures=(Picture(RED, "image/png", parsed.blocks[0].end + 2),))
    bot = bot_over(tmp_path, embedder, {"ink.docx": moved})
    (hit,) = bot.search("墨盒颜色", 1)
    with TestClient(create_app(bot)) as client:
        page = BeautifulSoup(client.get(f"/source/{hit.passage.id}").text, "html.parser")
    assert [bool(row.img) for row in page.table.tbody.find_all("tr")] == [False, True, False]


def test_a_damaged_or_unknown_picture_is_not_shown(bot):
    names = kept(bot)
    assert len(names) == 2  # the same picture is kept once
    with TestClient(create_app(bot)) as client:
        for name in names:
            file = bot.settings.index / FOLDER / name
            file.write_bytes(file.read_bytes()[:-1] + b"?")
            assert client.get(f"/picture/{name}").status_code == 404
        assert client.get(f"/picture/{'0' * 64}").status_code == 404
        assert client.get("/picture/..%2fCURRENT").status_code == 404


def test_a_damaged_picture_is_written_anew_by_the_next_run(bot, tmp_path, embedder):
    for name in kept(bot):
        (bot.settings.index / FOLDER / name).write_bytes(b"?")
    again = bot_over(tmp_path, embedder, {"manual.docx": manual()})
    assert all(again.picture(name) for name in kept(bot))


def test_what_no_generation_names_any_more_is_removed(bot, tmp_path, embedder):
    folder = bot.settings.index / FOLDER
    (folder / ("f" * 64)).write_bytes(RED)  # what a run left that was killed before it published
    (folder / ".new").write_bytes(RED)
    plain = BlockWriter()
    plain.paragraph("打印机没有图。")
    before = kept(bot) - {"f" * 64, ".new"}
    bot_over(tmp_path, embedder, {"manual.docx": plain.parsed()})
    assert kept(bot) == before  # the previous generation may still have to serve
    bot_over(tmp_path, embedder, {"manual.docx": plain.parsed()})
    assert not folder.exists()


def test_a_failed_run_leaves_the_pictures_of_the_last_one(bot, tmp_path, embedder):
    before = kept(bot)
    broken = BlockWriter()
    broken.picture(GREEN)
    with pytest.raises(Exception, match="没有可用的资料"):
        bot_over(tmp_path, embedder, {"manual.docx": broken.parsed()})
    assert kept(bot) == before


def test_a_run_that_reads_only_what_changed_has_the_pictures_of_now(tmp_path, embedder, monkeypatch):
    monkeypatch.setattr(changes, "_WHOLE_UNDER", 0)
    monkeypatch.setattr(changes, "_MOST_CHANGED", 100)

    def document(picture: bytes) -> Parsed:
        writer = BlockWriter()
        writer.paragraph("打印机的图。")
        writer.picture(picture)
        return writer.parsed()

    first = bot_over(tmp_path, embedder, {"a.docx": document(RED), "b.docx": document(BLUE)})
    named = {path: first.pictures(path)[0].hash for path in ("a.docx", "b.docx")}
    assert first.picture(named["a.docx"]) == (RED, "image/png")
    base = first.live.get()
    second = bot_over(tmp_path, embedder, {"a.docx": document(GREEN), "b.docx": document(BLUE)}, base=base)
    assert second.live.get().rows[1:]  # it did go on from the first
    assert [one.type for one in second.pictures("a.docx")] == ["image/webp"]
    assert [one.hash for one in second.pictures("b.docx")] == [named["b.docx"]]
    assert second.picture(named["a.docx"]) is None
    assert second.picture(named["b.docx"]) == (BLUE, "image/jpeg")
    texts = {"a.docx": document(RED), "b.docx": document(BLUE)}
    third = bot_over(tmp_path, embedder, texts, base=second.live.get())
    assert [one.hash for one in third.pictures("a.docx")] == [named["a.docx"]]


def test_only_what_a_browser_can_bear_is_kept(tmp_path, embedder):
    writer = BlockWriter()
    writer.paragraph("各种图片。")
    huge = header_of_png(60_000, 60_000), header_of_png(9_000, 9_000)
    for data in (b"GIF89a", *huge, image("red", size=(8, 8)), b"\x89PNG\r\n\x1a\n", b"BM"):
        writer.picture(data)
    writer.picture(RED + bytes(MAX_PICTURE_BYTES))
    writer.picture(GREEN)
    writer.picture(header_of_png(90, 80))
    bot = bot_over(tmp_path, embedder, {"a.docx": writer.parsed()})
    assert [(one.type, one.width) for one in bot.pictures("a.docx")] == [("image/webp", 40), ("image/png", 90)]


def test_a_document_has_so_many_pictures_at_most():
    writer = BlockWriter()
    for _ in range(MAX_PICTURES + 5):
        writer.picture(RED)
    assert len(writer.parsed().pictures) == MAX_PICTURES
