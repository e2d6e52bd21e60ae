"""bot.web.health: a probe is answered at once, however many questions are being answered."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import httpx
from conftest import HeldBot, served, wait_for

from bot.web.app import create_app

QUESTION = {"question": "赵州桥由谁设计?"}
MANY = 50  # more than there are threads without our doing


def test_a_probe_does_not_wait_for_questions(bot):
    held = HeldBot(bot, max_concurrent=MANY)
    with served(create_app(held)) as url, ThreadPoolExecutor(MANY) as pool, httpx.Client(base_url=url) as client:
        assert client.get("/readyz").status_code == 200
        answers = [pool.submit(httpx.post, f"{url}/api/ask", json=QUESTION, timeout=60) for _ in range(MANY)]
        try:
            wait_for(held.asked, 40)
            time.sleep(1)
            for path in ("/readyz", "/livez", "/metrics", "/"):
                assert client.get(path, timeout=30).status_code == 200
            assert len(held.asked) == MANY  # threads suffice for as many questions as are let in
        finally:
            held.go.set()
        assert {answer.result().status_code for answer in answers} == {200}
