"""Documents over HTTP: put in, listed, read, taken out, put back; nothing half, nothing lost, nothing outside."""

from __future__ import annotations

import errno
import io
import json
import os
import socket
import threading
from pathlib import Path

import httpx
import pytest
from conftest import ARTICLES, served
from fastapi.testclient import TestClient
from serving import serving

from bot.corpus import files
from bot.errors import StoreError
from bot.library import Library, Progress
from bot.pipeline import REFUSAL, Bot
from bot.settings import load_settings
from bot.web.app import create_app

FERRY = "白溪渡口\n\n白溪渡口由陈阿水摆渡,每日六时开航,大风天停航。\n"
# Names that would be passed over, would look like others, or would leave the folder.
REFUSED = {
    "../../x.txt": "E-NAME",
    "a/../../x.txt": "E-NAME",
    ".hidden.txt": "E-NAME",
    "a/.b/c.txt": "E-NAME",
    "CON.txt": "E-NAME",
    "con": "E-NAME",
    "第一\n行.txt": "E-NAME",
    "甲\u202e乙.txt": "E-NAME",
    "零\u200b宽.txt": "E-NAME",
    "长" * 100 + ".txt": "E-NAME",
    "夹/" * 400 + "x.txt": "E-NAME",
    "": "E-NAME",
    "x.exe": "E-FORMAT",
    "noending": "E-FORMAT",
}


@pytest.fixture
def bot(own_bot):
    return own_bot


def sent(client, *named: tuple[str, bytes | str], **form: str) -> list[dict]:
    parts = [("files", (name, io.BytesIO(text.encode() if isinstance(text, str) else text))) for name, text in named]
    response = client.post("/api/documents", files=parts, data=form)
    assert response.status_code == 200, response.text
    return response.json()["files"]


def listing(client, **wanted) -> list[dict]:
    return client.get("/api/documents", params=wanted).json()["documents"]


def indexed(client) -> list[tuple[str, dict]]:
    lines = [line for line in client.post("/api/index").text.split("\n") if line.startswith(("event:", "data:"))]
    names = [line.removeprefix("event: ") for line in lines[::2]]
    return list(zip(names, (json.loads(line.removeprefix("data: ")) for line in lines[1::2]), strict=True))


def snapshot(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and files.OWN not in path.parts
    }


def test_a_file_is_stored_listed_indexed_and_answers(client, bot, settings):
    assert sent(client, ("渡口/ferry.txt", FERRY)) == [
        {"name": "渡口/ferry.txt", "id": "渡口/ferry.txt", "code": "", "reason": ""}
    ]
    assert (settings.corpus / "渡口" / "ferry.txt").read_text(encoding="utf-8") == FERRY
    (waiting,) = listing(client, state="waiting")
    assert (waiting["id"], waiting["collection"], waiting["kind"]) == ("渡口/ferry.txt", "渡口", "txt")
    *_, (name, done) = indexed(client)
    assert (name, done["changed"], done["documents"], done["skipped"]) == ("done", True, 4, 0)
    (entry,) = listing(client, q="白溪")
    assert entry["state"] == "indexed"
    assert entry["title"] == "白溪渡口"
    assert entry["passages"] == 1
    assert entry["kept"] == 1.0
    assert entry["bytes"] == len(FERRY.encode())
    assert "陈阿水" in client.post("/api/ask", json={"question": "白溪渡口由谁摆渡?"}).json()["text"]
    assert indexed(client) == [("done", {"changed": False})]
    assert client.get("/api/collections").json() == [
        {"name": "", "documents": 3},
        {"name": "渡口", "documents": 1},
    ]


def test_a_run_says_how_far_it_has_come(bot, settings):
    for number in range(60):
        (settings.corpus / f"{number}.txt").write_text(
            f"第{number}号站\n\n第{number}号站有{number}个出口。\n" * 40, encoding="utf-8"
        )
    *events, last = Library(bot).indexed()
    assert events
    assert all(isinstance(event, Progress) and 0 <= event.done <= event.total for event in events)
    assert last.articles == 63


@pytest.mark.parametrize(("name", "code"), REFUSED.items(), ids=range(len(REFUSED)))
def test_a_bad_name_is_refused_in_words(settings, name, code):
    before = snapshot(settings.corpus.parent)
    with pytest.raises(StoreError) as refused:
        files.stored_path(name)
    assert refused.value.code == code
    assert "→" in str(refused.value) or code == "E-NAME"
    assert snapshot(settings.corpus.parent) == before


def test_one_bad_file_does_not_keep_the_others_out(client, settings):
    stored = sent(
        client, ("好.txt", FERRY), ("坏.exe", b"MZ"), ("../../x.txt", FERRY), ("也好.txt", FERRY), collection="新"
    )
    assert [one["code"] for one in stored] == ["", "E-FORMAT", "E-NAME", ""]
    assert sorted(path.name for path in (settings.corpus / "新").iterdir()) == ["也好.txt", "好.txt"]
    assert not (settings.corpus.parent / "x.txt").exists()


def test_what_cannot_be_read_is_listed_with_its_cure(client, settings):
    sent(client, ("坏.docx", b"no zip at all"))
    (settings.corpus / "旧.caj").write_bytes(b"HN")
    indexed(client)
    found = {entry["id"]: entry for entry in listing(client, state="skipped")}
    assert set(found) == {"坏.docx", "旧.caj"}
    assert found["坏.docx"]["code"]
    assert found["旧.caj"]["code"] == "E-FORMAT"
    assert ".pdf" in found["旧.caj"]["cure"]
    undo = client.delete("/api/documents/旧.caj")
    assert undo.status_code == 200
    assert not (settings.corpus / "旧.caj").exists()


def test_a_file_of_the_same_name_replaces_and_can_come_back(client, bot, settings):
    sent(client, ("tea.txt", FERRY))
    indexed(client)
    assert "陈阿水" in bot.ask("白溪渡口由谁摆渡?").text
    assert bot.ask("龙井茶产于哪里?").refused
    kept = [path for path in (settings.corpus / files.OWN / "removed").rglob("tea.txt")]
    assert [path.read_text(encoding="utf-8") for path in kept] == [ARTICLES["tea.txt"]]


def test_a_file_is_taken_out_and_put_back(client, bot, settings):
    before = snapshot(settings.corpus)
    undo = client.delete("/api/documents/tea.txt").json()["undo"]
    assert [entry["id"] for entry in listing(client)] == ["bridge.md", "city.html"]
    indexed(client)
    assert bot.ask("龙井茶产于哪里?").refused
    assert client.post("/api/documents/restore", json={"undo": undo}).json() == {"id": "tea.txt"}
    assert snapshot(settings.corpus) == before
    indexed(client)
    assert "西湖" in bot.ask("龙井茶产于哪里?").text
    again = client.post("/api/documents/restore", json={"undo": undo})
    assert (again.status_code, again.json()["error"]["code"]) == (404, "E-GONE")
    gone = client.delete("/api/documents/nothing.txt")
    assert (gone.status_code, gone.json()["error"]["code"]) == (404, "E-GONE")


def test_a_file_does_not_come_back_over_another(client, settings):
    undo = client.delete("/api/documents/tea.txt").json()["undo"]
    sent(client, ("tea.txt", FERRY))
    taken = client.post("/api/documents/restore", json={"undo": undo})
    assert (taken.status_code, taken.json()["error"]["code"]) == (409, "E-NAME")
    assert (settings.corpus / "tea.txt").read_text(encoding="utf-8") == FERRY


@pytest.mark.parametrize("path", ["../x", "answers.yaml", "dictionary.txt", ".wenqu/removed", "..%2fx", ""])
def test_nothing_but_a_document_is_taken_out(client, settings, path):
    (settings.corpus / "answers.yaml").write_text("[]", encoding="utf-8")
    (settings.corpus / "dictionary.txt").write_text("龙井 明前茶\n", encoding="utf-8")
    before = snapshot(settings.corpus.parent)
    assert client.delete(f"/api/documents/{path}").status_code in (404, 405)
    assert snapshot(settings.corpus.parent) == before


def test_without_its_last_document_the_bot_says_that_there_is_nothing(client, bot):
    for name in ARTICLES:
        client.delete(f"/api/documents/{name}")
    assert indexed(client)[-1][1]["documents"] == 0
    assert bot.ask("龙井茶产于哪里?").text.startswith(REFUSAL["zh"])
    assert client.get("/api/examples").json() == {"examples": []}
    assert client.get("/readyz").status_code == 200
    sent(client, ("ferry.txt", FERRY))
    indexed(client)
    assert "陈阿水" in bot.ask("白溪渡口由谁摆渡?").text


def test_a_full_disk_leaves_the_folder_as_it_was(client, settings, monkeypatch):
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    before = snapshot(settings.corpus)
    monkeypatch.setattr(os, "fsync", full)
    (one,) = sent(client, ("tea.txt", FERRY))
    assert one["code"] == "E-DISK"
    assert "df -h" in one["reason"]
    assert snapshot(settings.corpus) == before
    assert list((settings.corpus / files.OWN / "arriving").iterdir()) == []


def test_a_file_that_is_too_large_is_refused_while_it_comes(client, settings, monkeypatch):
    monkeypatch.setattr(files, "MAX_FILE_BYTES", 100_000)
    (one,) = sent(client, ("big.txt", b"x" * 100_001))
    assert one["code"] == "E-SIZE"
    assert not (settings.corpus / "big.txt").exists()


def test_no_link_is_followed(client, settings, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (settings.corpus / "link").symlink_to(outside)
    (one,) = sent(client, ("link/x.txt", FERRY))
    assert one["code"]
    assert list(outside.iterdir()) == []


def test_a_connection_that_breaks_leaves_nothing(bot, settings):
    before = snapshot(settings.corpus)
    with served(create_app(bot)) as url:
        port = int(url.rpartition(":")[2])
        head = b'--b\r\nContent-Disposition: form-data; name="files"; filename="half.txt"\r\n\r\n'
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(
                f"POST /api/documents HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 3000000\r\n"
                "Content-Type: multipart/form-data; boundary=b\r\n\r\n".encode()
                + head
                + b"x" * 2_000_000
            )
        with TestClient(create_app(bot), client=("127.0.0.1", 50000)) as client:
            assert [entry["id"] for entry in listing(client)] == sorted(ARTICLES)
    assert snapshot(settings.corpus) == before


def test_two_people_upload_the_same_name(client, settings):
    texts = [f"第{number}个人写的。\n" * 20_000 for number in range(6)]
    threads = [threading.Thread(target=sent, args=(client, ("same.txt", text))) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (settings.corpus / "same.txt").read_text(encoding="utf-8") in texts


def test_a_document_is_shown_as_it_was_read(client):
    shown = client.get("/api/documents/bridge.md").json()
    assert shown["article"]["title"] == "赵州桥"
    assert shown["article"]["blocks"][0]["kind"] == "heading"
    assert all(shown["article"]["text"][one["start"] : one["end"]] == one["text"] for one in shown["passages"])
    city = client.get("/api/documents/city.html").json()
    assert {one["reason"]: one["texts"] for one in city["left_out"]}["菜单 / menu"] == ["首页 > 新闻"]
    assert client.get("/api/documents/none.md").status_code == 404
    file = client.get("/api/documents/city.html/file")
    assert file.text == ARTICLES["city.html"]
    assert "sandbox" in file.headers["content-security-policy"]
    assert file.headers["content-disposition"].startswith("attachment")


def test_the_list_is_searched_sorted_and_cut(client):
    everything = client.get("/api/documents").json()
    assert everything["total"] == 3
    assert everything["states"] == {"indexed": 3}
    assert everything["collections"] == {"": 3}
    assert listing(client, sort="bytes", descending=True)[0]["id"] == "tea.txt"
    assert [entry["id"] for entry in listing(client, offset=1, limit=1)] == ["city.html"]
    assert [entry["id"] for entry in listing(client, q="轨道")] == ["city.html"]
    assert listing(client, collection="别处") == []
    assert client.get("/api/documents", params={"sort": "secret"}).status_code == 422


@pytest.mark.parametrize(
    ("settings_more", "headers", "address", "status"),
    [
        ({}, {}, "127.0.0.1", 200),
        ({}, {"X-Forwarded-For": "203.0.113.9"}, "127.0.0.1", 403),
        ({}, {}, "192.168.1.7", 403),
        ({"public_url": "https://example.org"}, {}, "127.0.0.1", 403),
        ({"host": "0.0.0.0", "insecure": True}, {}, "127.0.0.1", 403),
        ({"api_key": "geheim"}, {"Authorization": "Bearer geheim"}, "192.168.1.7", 200),
        ({"api_key": "geheim"}, {}, "127.0.0.1", 401),
    ],
)
def test_who_may_change_documents(settings, embedder, settings_more, headers, address, status):
    mine = load_settings(corpus=settings.corpus, index=settings.index, **settings_more)
    app = create_app(Bot(mine, embedder))
    with TestClient(app, client=(address, 50000), headers=headers) as client:
        posted = client.post("/api/documents", files=[("files", ("ferry.txt", FERRY.encode()))])
        assert posted.status_code == status
        assert (settings.corpus / "ferry.txt").exists() == (status == 200)
        assert client.delete("/api/documents/tea.txt").status_code == status
        assert client.post("/api/index").status_code == status


@pytest.mark.slow
def test_a_server_starts_on_an_empty_folder_and_waits_for_files(tmp_path):
    settings = load_settings(corpus=tmp_path / "corpus", index=tmp_path / "index", port=0)
    settings.corpus.mkdir()
    with serving(settings, tmp_path / "errors") as server, httpx.Client(base_url=server.url, timeout=60) as client:
        assert "/library" in server.said
        assert client.post("/api/ask", json={"question": "白溪渡口由谁摆渡?"}).json()["refused"]
        assert client.post("/api/documents", files=[("files", ("ferry.txt", FERRY.encode()))]).status_code == 200
        assert "event: done" in client.post("/api/index").text  # whoever was first, this run or the watching one
        assert client.get("/api/documents").json()["states"] == {"indexed": 1}
        assert "陈阿水" in client.post("/api/ask", json={"question": "白溪渡口由谁摆渡?"}).json()["text"]
