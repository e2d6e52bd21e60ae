"""bot.web.openai.routes as OpenAI's own client and Open WebUI use it: a real server, real requests."""

from __future__ import annotations

import json
import logging
import time

import httpx
import openai
import pytest
from conftest import Configured, ShortBot, served
from fastapi.testclient import TestClient
from pydantic import SecretStr

from bot.channels.message import MARKDOWN, render, source_url
from bot.errors import IndexMissing
from bot.pipeline import REFUSAL
from bot.types import Turn
from bot.web.app import create_app
from bot.web.openai.open_webui import task_reply

KEY = "canary-7f3a-密钥"
QUESTION = "赵州桥由谁设计?"
UNKNOWN = "火星上最高的山叫什么名字?"
TEMPLATES = {
    "title": """### Task:
Generate a concise, 3-5 word title with an emoji summarizing the chat history.
### Guidelines:
- Write the title in the chat's primary language; default to English if multilingual.
### Output:
JSON format: { "title": "your concise title here" }
### Examples:
- { "title": "📉 Stock Market Trends" },
### Chat History:
<chat_history>
USER: 赵州桥是由谁设计的?我想知道他的名字,还有
建成的年份
ASSISTANT: 李春。{ "tags": [] }
USER: 谢谢
</chat_history>""",
    "tags": """### Task:
Generate 1-3 broad tags categorizing the main themes of the chat history, along with 1-3 more specific subtopic tags.

### Output:
JSON format: { "tags": ["tag1", "tag2", "tag3"] }

### Chat History:
<chat_history>
USER: 写一个 { "title": "x" }
</chat_history>""",
    "follow_ups": """### Task:
Suggest 3-5 relevant follow-up questions or prompts that the user might naturally ask next in this conversation.
### Output:
JSON format: { "follow_ups": ["Question 1?", "Question 2?", "Question 3?"] }
### Chat History:
<chat_history>
USER: 赵州桥
</chat_history>""",
    "queries": """### Task:
Analyze the chat history to determine the necessity of generating search queries, in the given language.

### Output:
Strictly return in JSON format:
{
  "queries": ["query1", "query2"]
}

### Chat History:
<chat_history>
USER: 赵州桥
</chat_history>
""",
    "text": """### Task:
You are an autocompletion system. Continue the text in `<text>` based on the **completion type** in `<type>`.
5. If unsure, return: `{ "text": "" }`.
<type>General</type>
<text>赵州桥</text>
#### Output:
""",
    "unknown": "### Task:\nDo something new.",
}  # fmt: skip
TASK_REPLIES = {
    "title": {"title": "赵州桥是由谁设计的?我想知道他的名字,还"},
    "tags": {"tags": []},
    "follow_ups": {"follow_ups": []},
    "queries": {"queries": []},
    "text": {"text": ""},
    "unknown": {},
}


@pytest.fixture(scope="module")
def url(bot):
    with served(create_app(bot)) as address:
        yield address


@pytest.fixture
def client(url):
    with openai.OpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0) as client:
        yield client


def ask(client: openai.OpenAI, text: str = QUESTION, **more):
    return client.chat.completions.create(model="wenqu", messages=[{"role": "user", "content": text}], **more)


def places(content: str, annotations) -> list[str]:
    """What stands at the offsets of the citations."""
    cited = [annotation.url_citation for annotation in annotations]
    return [content[cite.start_index : cite.end_index] for cite in cited]


def test_an_answer_is_the_markdown_message_with_its_citations(client, url, bot):
    answer = bot.ask(QUESTION)
    reply = ask(client, temperature=0.2, presence_penalty=1, n=3, extra_body={"unheard_of": {"x": 1}})
    assert reply.object == "chat.completion"
    (choice,) = reply.choices
    assert choice.finish_reason == "stop"
    content = choice.message.content
    assert content == render(answer, MARKDOWN, url)
    assert "李春" in content
    assert places(content, choice.message.annotations) == [f"[{e.number}]" for e in answer.evidence]
    first = choice.message.annotations[0].url_citation
    # The mark of the sentence that answers, below the short answer, not the list's.
    assert content[: first.end_index] == f"**{answer.short}**\n\n{answer.text}"
    assert first.title == "赵州桥"
    links = [source_url(evidence, url) for evidence in answer.evidence]
    assert reply.model_extra["citations"] == links
    result = reply.model_extra["search_results"][0]
    assert result == {"title": first.title, "url": links[0], "date": None, "snippet": answer.text.removesuffix(" [1]")}
    assert "<mark>" in httpx.get(links[0]).text  # the link opens the article with the evidence marked
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (len(QUESTION), len(content))
    assert reply.usage.total_tokens == len(QUESTION) + len(content)


def test_every_source_is_cited_where_it_stands(article_bot):
    settings = article_bot.settings.model_copy(update={"public_url": "https://wenqu.example/"})
    question = "科大讯飞的总部在哪里?"
    answer = article_bot.ask(question)
    assert len(answer.evidence) > 1
    with (
        served(create_app(Configured(article_bot, settings))) as address,
        openai.OpenAI(base_url=f"{address}/v1", api_key="any") as client,
    ):
        message = ask(client, question).choices[0].message
    assert places(message.content, message.annotations) == [f"[{e.number}]" for e in answer.evidence]
    starts = [annotation.url_citation.start_index for annotation in message.annotations]
    assert message.content[: starts[0]].count("\n") == 0  # [1] in the sentence, the others at the head of their lines
    assert all(message.content[start - 1] == "\n" for start in starts[1:])
    assert starts == sorted(set(starts))
    assert all(a.url_citation.url.startswith("https://wenqu.example/source/") for a in message.annotations)


def test_a_short_answer_begins_the_message_and_is_no_part_of_a_turn(bot):
    told: list[Turn] = []

    class Listening(ShortBot):
        def ask(self, question, history=()):
            told.extend(history)
            return super().ask(question, history)

    short = Listening(bot, "李春")
    answer = short.ask(QUESTION)
    with (
        served(create_app(short)) as url,
        openai.OpenAI(base_url=f"{url}/v1", api_key="any") as client,
    ):
        message = ask(client).choices[0].message
        pieces = [chunk.choices[0].delta.content or "" for chunk in ask(client, stream=True)]
        said = [("user", QUESTION), ("assistant", message.content), ("user", "它长多少米?")]
        messages = [{"role": role, "content": text} for role, text in said]
        client.chat.completions.create(model="wenqu", messages=messages)
    assert message.content == "".join(pieces) == render(answer, MARKDOWN, url)
    assert message.content.startswith(f"**李春**\n\n{answer.text}\n\n")
    assert places(message.content, message.annotations) == [f"[{e.number}]" for e in answer.evidence]
    (turn,) = told
    assert turn.answer.startswith(answer.text)


def test_a_stream_adds_up_to_the_same_message(client):
    whole = ask(client)
    chunks = list(ask(client, stream=True, stream_options={"include_usage": True}))
    assert chunks[0].choices[0].delta.role == "assistant"
    assert {(chunk.id, chunk.created, chunk.model, chunk.object) for chunk in chunks} == {
        (chunks[0].id, chunks[0].created, "wenqu", "chat.completion.chunk")
    }
    pieces = [chunk.choices[0].delta.content or "" for chunk in chunks[:-1]]
    assert "".join(pieces) == whole.choices[0].message.content
    assert 0 < max(map(len, pieces)) <= 24
    end = chunks[-2]
    assert end.choices[0].finish_reason == "stop"
    annotations = [annotation.model_dump() for annotation in whole.choices[0].message.annotations]
    assert end.choices[0].delta.model_extra["annotations"] == annotations
    assert end.model_extra["citations"] == whole.model_extra["citations"]
    assert end.model_extra["search_results"] == whole.model_extra["search_results"]
    assert chunks[-1].choices == []
    assert chunks[-1].usage == whole.usage


def test_the_stream_helper_of_the_client_keeps_the_annotations(client):
    whole = ask(client).choices[0].message
    messages = [{"role": "user", "content": QUESTION}]
    with client.chat.completions.stream(model="wenqu", messages=messages) as stream:
        final = stream.get_final_completion().choices[0].message
    assert final.content == whole.content
    assert places(final.content, final.annotations) == places(whole.content, whole.annotations) != []


def test_a_stream_is_lines_of_data_with_chinese_as_it_is(url):
    body = {"model": "wenqu", "stream": True, "messages": [{"role": "user", "content": QUESTION}]}
    response = httpx.post(f"{url}/v1/chat/completions", json=body)
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["x-accel-buffering"] == "no"
    blocks = response.content.decode().split("\n\n")
    assert all(block.startswith("data: ") and "\n" not in block for block in blocks[:-1])
    assert blocks[-2:] == ["data: [DONE]", ""]
    assert '"usage"' not in response.text  # nobody asked for it
    assert "\\u" not in response.text


def test_a_refusal_cites_nothing(client):
    reply = ask(client, UNKNOWN, extra_body={"stream_options": None})
    assert reply.choices[0].message.content == REFUSAL["zh"]
    assert not reply.choices[0].message.annotations
    assert reply.model_extra["search_results"] == reply.model_extra["citations"] == []
    end = list(ask(client, UNKNOWN, stream=True))[-1]
    assert "annotations" not in end.choices[0].delta.model_extra
    assert end.model_extra["search_results"] == []


def test_the_last_message_of_the_user_is_the_question(client, bot):
    parts = [
        {"type": "text", "text": "西安地铁二号线"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        {"type": "text", "text": "何时开通?"},
    ]
    messages = [
        {"role": "system", "content": "Answer in French."},
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": QUESTION},
        {"role": "assistant", "content": None, "tool_calls": []},
        {"role": "tool", "content": "x", "tool_call_id": "1"},
        {"role": "user", "content": parts},
        {"role": "assistant", "content": "…"},
    ]
    reply = client.chat.completions.create(model="wenqu:latest", messages=messages)
    assert "2011年9月16日" in reply.choices[0].message.content
    assert reply.usage.prompt_tokens == len("西安地铁二号线\n何时开通?")


def test_a_long_history_is_taken_and_what_is_longer_is_refused(client):
    history = [{"role": role, "content": "长" * 5_000} for role in ("user", "assistant")] * 31
    asked = [*history, {"role": "user", "content": QUESTION}]
    assert len(json.dumps(asked, ensure_ascii=False).encode()) > 900_000
    assert "李春" in client.chat.completions.create(model="wenqu", messages=asked).choices[0].message.content
    with pytest.raises(openai.BadRequestError) as too_many:
        client.chat.completions.create(model="wenqu", messages=[{"role": "user", "content": "西安"}] * 65)
    assert too_many.value.param == "messages"
    with pytest.raises(openai.APIStatusError) as too_long:
        client.chat.completions.create(model="wenqu", messages=[{"role": "user", "content": "长" * 400_000}])
    assert too_long.value.status_code == 413
    assert too_long.value.type == "invalid_request_error"  # only an error in OpenAI's shape has one


def test_models_are_listed_and_named(client):
    (model,) = client.models.list().data
    assert (model.id, model.owned_by, model.object) == ("wenqu", "wenqu", "model")
    assert client.models.retrieve("wenqu") == model
    for call in (
        lambda: client.models.retrieve("gpt-4o"),
        lambda: client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": QUESTION}]),
    ):
        with pytest.raises(openai.NotFoundError) as error:
            call()
        assert (error.value.code, error.value.param) == ("model_not_found", "model")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("text", ["？", "西" * 2001, "", " \n", [{"type": "image_url", "image_url": {"url": "x"}}]])
def test_a_bad_question_is_an_error_before_the_first_byte(client, stream, text):
    with pytest.raises(openai.BadRequestError) as error:
        ask(client, text, stream=stream)
    assert error.value.type == "invalid_request_error"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"messages": []}',
        b'{"messages": [{"role": "king", "content": "canary"}]}',
        b'{"messages": [{"role": "user", "content": {"canary": 1}}]}',
        b'{"messages": [{"role": "assistant", "content": "canary"}]}',
        b'{"canary": 1e400}',
        b'{"messages": [{"role": "user", "content": "\\ud800"}]}',
        b'{"messages": [{"role": "user", "content": "x"}], "stream": "canary"}',
        '{"messages": [{"role": "user", "content": "合肥"}]}'.encode("gbk"),
        b"[" * 30_000,
    ],
)
def test_any_other_body_gets_one_error_in_openais_shape(url, body):
    response = httpx.post(f"{url}/v1/chat/completions", content=body, headers={"content-type": "application/json"})
    assert response.status_code == 400, response.text
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["type"] == "invalid_request_error"
    assert "canary" not in response.text


def test_unknown_paths_and_methods_have_openais_shape_too(url):
    for response in (httpx.get(f"{url}/v1/nowhere"), httpx.get(f"{url}/v1/chat/completions")):
        assert response.status_code in (404, 405)
        assert set(response.json()["error"]) == {"message", "type", "param", "code"}
    assert set(httpx.get(f"{url}/nowhere").json()["error"]) == {"code", "message"}  # and only those of /v1


def test_what_fails_inside_is_said_without_its_inside(bot, monkeypatch):
    def gone(question: str, history: object = ()):
        raise IndexMissing("还没有索引", "no index yet", "wenqu index")

    def broken(question: str, history: object = ()):
        raise RuntimeError("canary")

    body = {"messages": [{"role": "user", "content": QUESTION}], "stream": True}
    with TestClient(create_app(bot), raise_server_exceptions=False) as client:
        monkeypatch.setattr(bot, "ask", gone)
        response = client.post("/v1/chat/completions", json=body)
        assert response.status_code == 503
        assert response.json()["error"]["type"] == "server_error"
        assert "wenqu index" in response.json()["error"]["message"]
        monkeypatch.setattr(bot, "ask", broken)
        response = client.post("/v1/chat/completions", json=body)
        assert (response.status_code, response.json()["error"]["code"]) == (500, "internal_error")
        assert "canary" not in response.text


@pytest.mark.parametrize("task", TEMPLATES)
def test_background_tasks_of_open_webui_never_reach_the_bot(client, bot, monkeypatch, task):
    monkeypatch.setattr(bot, "ask", None)
    body = {"metadata": {"task": task, "chat_id": "1"}, "max_completion_tokens": 1000}
    reply = ask(client, TEMPLATES[task], extra_body=body)
    assert json.loads(reply.choices[0].message.content) == TASK_REPLIES[task]
    streamed = "".join(chunk.choices[0].delta.content or "" for chunk in ask(client, TEMPLATES[task], stream=True))
    assert json.loads(streamed) == TASK_REPLIES[task]


@pytest.mark.parametrize("form", ["{}", "<user_query>\n{}\n</user_query>\n"])
def test_a_question_with_a_file_attached_is_still_the_question(client, form):
    wrapped = (
        "### Task:\nRespond to the user query using the provided context, incorporating inline citations.\n\n"
        '<context>\n<source id="1" name="a.md">西安地铁</source>\n</context>\n\n'
    )
    reply = ask(client, wrapped + form.format(QUESTION))
    assert "李春" in reply.choices[0].message.content
    assert reply.usage.prompt_tokens == len(QUESTION)


def test_a_task_without_history_or_of_a_megabyte_of_blanks_is_answered_at_once():
    shape = '### Task:\n{ "title": "x" }\n'
    assert task_reply(shape) == {"title": ""}
    begun = time.perf_counter()
    assert task_reply(f"{shape}<chat_history>USER: {' ' * 1_000_000}赵州桥{' ' * 1_000_000}") == {"title": "赵州桥"}
    assert task_reply("### Task:" + "{ " * 500_000) == {}
    assert time.perf_counter() - begun < 2


def test_with_a_key_every_route_wants_it_and_no_log_ever_shows_it(bot, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    settings = bot.settings.model_copy(update={"api_key": SecretStr("canary-7f3a")})
    with served(create_app(Configured(bot, settings))) as url:
        with openai.OpenAI(base_url=f"{url}/v1", api_key="canary-7f3a", max_retries=0) as client:
            assert "李春" in ask(client).choices[0].message.content
        with openai.OpenAI(base_url=f"{url}/v1", api_key="canary-7f3b", max_retries=0) as client:
            for call in (lambda: ask(client), client.models.list, lambda: client.models.retrieve("wenqu")):
                with pytest.raises(openai.AuthenticationError) as error:
                    call()
                assert error.value.code == "invalid_api_key"
        for header in (None, "", "Bearer", "canary-7f3a", "Basic canary-7f3a", "Bearer é密".encode(), b"\xff"):
            response = httpx.get(f"{url}/v1/models", headers={} if header is None else {"Authorization": header})
            assert response.status_code == 401, header
            assert response.headers["www-authenticate"] == "Bearer"
        assert httpx.get(f"{url}/v1/models", headers={"Authorization": "bearer canary-7f3a"}).status_code == 200
        assert httpx.get(f"{url}/livez").status_code == 200  # the page and health stay open
    ours = [record for record in caplog.records if not record.name.startswith(("openai", "httpx", "httpcore"))]
    assert not any("canary" in record.getMessage() for record in ours)
    assert "canary" not in "".join(capfd.readouterr())


def test_a_key_may_hold_any_characters(bot):
    settings = bot.settings.model_copy(update={"api_key": SecretStr(KEY)})
    with TestClient(create_app(Configured(bot, settings))) as client:
        for sent, status in ((KEY, 200), (KEY[:-1], 401)):
            header = b"Bearer " + sent.encode()
            assert client.get("/v1/models", headers={"Authorization": header}).status_code == status


def test_pages_of_other_origins_may_call_v1_only_when_they_are_named(bot):
    preflight = {
        "Origin": "https://chat.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization, content-type, x-stainless-os",
    }
    allowed = "access-control-allow-origin"
    named = bot.settings.model_copy(
        update={"cors_origins": "https://chat.example/, http://b.example", "api_key": SecretStr("k")}
    )
    with TestClient(create_app(Configured(bot, named))) as client:
        response = client.options("/v1/chat/completions", headers=preflight)  # a preflight never carries the key
        assert (response.status_code, response.headers[allowed]) == (200, "https://chat.example")
        granted = response.headers["access-control-allow-headers"].lower()
        assert "authorization" in granted
        assert "content-type" in granted
        refused = client.get("/v1/models", headers={"Origin": "https://chat.example"})
        assert (refused.status_code, refused.headers[allowed]) == (401, "https://chat.example")  # readable by the page
        evil = client.options("/v1/models", headers={**preflight, "Origin": "https://evil.example"})
        assert allowed not in evil.headers
        assert allowed not in client.post("/api/ask", json={"question": QUESTION}, headers=preflight).headers
    with TestClient(create_app(bot)) as client:
        assert client.options("/v1/chat/completions", headers=preflight).status_code == 405
        assert allowed not in client.get("/v1/models", headers={"Origin": "https://chat.example"}).headers
