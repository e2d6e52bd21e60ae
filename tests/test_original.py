"""bot.web.original: the file that a passage is from, as long as it is what was read, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from written import bot_over

from bot.corpus.blocks import BlockWriter
from bot.web.app import create_app
from bot.web.original import GONE_LINE

FILES = {
    "报告.pdf": b"%PDF-1.4 " + bytes(range(256)) * 400,
    "页面.html": b"<script>alert(1)</script>",
    "图.png": b"\x89PNG\r\n\x1a\n",
    "深/表.xlsx": b"PK\x03\x04",
}


@pytest.fixture
def asked(tmp_path, embedder):
    """A client, the corpus, and by path the address of the original."""
    documents = {}
    for number, path in enumerate(FILES):
        writer = BlockWriter()
        writer.paragraph(f"第{number}份文件说的是{path}。")
        documents[path] = writer.parsed()
    bot = bot_over(tmp_path, embedder, documents, FILES)
    hits = bot.search("文件说的是什么", 10)
    with TestClient(create_app(bot)) as client:
        yield client, bot.settings.corpus, {hit.passage.document: f"/source/{hit.passage.id}/file" for hit in hits}


def test_each_original_is_sent_as_it_is_and_only_what_cannot_act_is_shown(asked):
    client, _, addresses = asked
    assert set(addresses) == set(FILES)
    for path, address in addresses.items():
        sent = client.get(address)
        assert (sent.status_code, sent.content) == (200, FILES[path])
        assert sent.headers["x-content-type-options"] == "nosniff"
        assert sent.headers["content-security-policy"].startswith("default-src 'none';")
        shown = path.endswith((".pdf", ".png"))
        assert sent.headers["content-disposition"].startswith("inline" if shown else "attachment")
        assert ("sandbox" in sent.headers["content-security-policy"]) == (not path.endswith(".pdf"))
        assert "html" not in sent.headers["content-type"]


def test_a_part_of_a_pdf_is_sent_alone(asked):
    client, _, addresses = asked
    part = client.get(addresses["报告.pdf"], headers={"Range": "bytes=5000-5009"})
    assert (part.status_code, part.content) == (206, FILES["报告.pdf"][5000:5010])


def test_a_file_that_was_only_touched_is_still_the_original(asked):
    client, corpus, addresses = asked
    os.utime(corpus / "报告.pdf", (1, 1))
    assert client.get(addresses["报告.pdf"]).content == FILES["报告.pdf"]


def changed(file):
    file.write_bytes(bytes(len(file.read_bytes())))


def gone(file):
    file.unlink()


def linked(file):
    outside = file.parent.parent / "outside"
    file.rename(outside)
    file.symlink_to(outside)


def inside_a_linked_folder(file):
    outside = file.parent.parent.parent / "outside"
    file.parent.rename(outside)
    file.parent.symlink_to(outside)


def a_pipe(file):
    file.unlink()
    os.mkfifo(file)


@pytest.mark.parametrize("happens", [changed, gone, linked, inside_a_linked_folder, a_pipe])
def test_what_is_not_the_file_that_was_read_is_not_sent(asked, happens):
    client, corpus, addresses = asked
    happens(corpus / "深" / "表.xlsx")
    refused = client.get(addresses["深/表.xlsx"])
    assert refused.status_code == 404
    assert GONE_LINE in refused.text


def test_no_descriptor_stays_open(asked):
    client, _, addresses = asked
    before = len(list(Path("/dev/fd").iterdir()))
    for _ in range(20):
        client.get(addresses["报告.pdf"], headers={"Range": "bytes=999999999-"})
        client.get(addresses["图.png"])
    assert len(list(Path("/dev/fd").iterdir())) <= before + 1
