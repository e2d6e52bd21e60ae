"""bot.web.telemetry: what an operator sees of requests and answers, and never what was asked."""

from __future__ import annotations

import io
import json
import logging
import re

import pytest
from conftest import served
from fastapi.testclient import TestClient

from bot.journal import EVENTS
from bot.web.app import create_app
from bot.web.telemetry import JsonFormatter, TextFormatter, set_up_logging

SECRET = "赵州桥由谁设计?"


@pytest.fixture
def logged(monkeypatch):
    """What is logged as JSON, as it is while serving."""
    root, handlers, level = logging.getLogger(), logging.getLogger().handlers[:], logging.getLogger().level
    propagate = EVENTS.propagate
    out = io.StringIO()
    monkeypatch.setattr("sys.stderr", out)
    set_up_logging("json")
    yield lambda: [json.loads(line) for line in out.getvalue().splitlines()]
    root.handlers[:] = handlers
    root.setLevel(level)
    EVENTS.propagate = propagate


def metric(text: str, name: str, **labels: str) -> float:
    wanted = {f'{key}="{value}"' for key, value in labels.items()}
    for line in text.splitlines():
        found = re.fullmatch(r"(\w+)(?:\{(.*)\})? ([0-9.e+]+)", line)
        if found and found[1] == name and wanted == set((found[2] or "").split(",")) - {""}:
            return float(found[3])
    return 0.0


def test_each_request_and_answer_is_a_line_without_the_question(bot, logged):
    with TestClient(create_app(bot)) as client:
        answer = client.post("/api/ask", json={"question": SECRET})
        client.get(f"/api/search?question={SECRET}")
        client.get("/source/nothing-of-that-name")
        client.get("/nowhere/at-all")
    lines = logged()
    requests = [line for line in lines if line["event"] == "request"]
    assert [line["route"] for line in requests] == ["/api/ask", "/api/search", "/source/{passage}", "none"]
    assert [line["status"] for line in requests] == [200, 200, 404, 404]
    (said,) = [line for line in lines if line["event"] == "answer"]
    assert said["answer"] == answer.json()["id"]
    assert said["request"] == answer.headers["x-request-id"] == requests[0]["request"]
    assert (said["surface"], said["mode"], said["refused"], said["characters"]) == (
        "web",
        "passages",
        False,
        len(SECRET),
    )
    assert said["passages"] == [evidence["passage"]["id"] for evidence in answer.json()["evidence"]]
    assert said["stages"]["total"] > 0
    for told in ("赵州桥", "nothing-of-that-name", "at-all"):
        assert told not in json.dumps(lines, ensure_ascii=False)


def test_metrics_count_requests_answers_and_the_index(bot):
    app = create_app(bot)
    with TestClient(app, client=("127.0.0.1", 1)) as client:
        for question in (SECRET, SECRET, "红烧肉怎么做"):
            client.post("/api/ask", json={"question": question})
        client.post("/api/ask", json={"question": ""})
        text = client.get("/metrics").text
    assert metric(text, "wenqu_requests_total", route="/api/ask", status="200") == 3
    assert metric(text, "wenqu_requests_total", route="/api/ask", status="422") == 1
    assert metric(text, "wenqu_answers_total", surface="web", mode="passages", refused="false") == 2
    assert metric(text, "wenqu_answers_total", surface="web", mode="passages", refused="true") == 1
    assert metric(text, "wenqu_stage_seconds_count", stage="retrieve") == 3
    assert metric(text, "wenqu_index_passages") == bot.live.get().manifest["passages"]
    assert metric(text, "wenqu_index_generation") == 1
    assert metric(text, "wenqu_requests_under_way") == 1


def test_no_client_makes_the_series_grow(bot):
    app = create_app(bot)
    with TestClient(app, client=("127.0.0.1", 1)) as client:
        client.get("/nowhere")
        before = client.get("/metrics").text.count("\n")
        for number in range(200):
            client.request(f"M{number}", f"/{number}/x", headers={"X-Forwarded-For": f"10.0.0.{number}"})
            client.get(f"/static/{number}")
            client.get(f"/source/{number}")
            client.get(f"/v1/models/{number}")
        after = client.get("/metrics").text.count("\n")
    assert after - before <= 80


def test_metrics_are_for_this_machine_where_there_is_no_key(bot):
    with TestClient(create_app(bot), client=("203.0.113.5", 1)) as client:
        assert client.get("/metrics").status_code == 403
    with served(create_app(bot)) as url:
        import httpx

        assert httpx.get(f"{url}/metrics").status_code == 200


def test_nothing_in_a_record_breaks_a_line_or_draws_on_a_terminal():
    record = logging.LogRecord("wenqu", logging.ERROR, "", 0, "bad: %s", ("a\nERROR forged\x1b[31m\u2028\u202e",), None)
    line = JsonFormatter().format(record)
    assert "\n" not in line
    assert "\x1b" not in line
    assert json.loads(line)["event"] == "bad: a\nERROR forged\x1b[31m\u2028\u202e"
    text = TextFormatter().format(record)
    assert text.endswith("ERROR bad: a ERROR forged[31m")


def test_a_bug_is_logged_with_its_traceback_and_counted(bot, logged, monkeypatch):
    app = create_app(bot)

    @app.get("/bug")
    def bug() -> None:
        raise RuntimeError("of the server")

    with TestClient(app, raise_server_exceptions=False, client=("127.0.0.1", 1)) as client:
        response = client.get("/bug")
        assert response.status_code == 500
        assert "of the server" not in response.text
        text = client.get("/metrics").text
    assert metric(text, "wenqu_requests_total", route="/bug", status="500") == 1
    (error,) = [line for line in logged() if line["level"] == "error"]
    assert "RuntimeError: of the server" in error["traceback"]
