"""bot.followup: what leans on the turns before is made to stand alone, what stands alone is left as it is."""

from __future__ import annotations

import io
import json
from itertools import pairwise

import openai
import pytest
from conftest import ROOT, served
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from bot.app import create_app
from bot.channels.desk import Desk, Inbound, Memory
from bot.followup import resolved, standalone
from bot.markup import MARKDOWN, PLAIN, render
from bot.mentions import is_relational, topics, words
from bot.pipeline import REFUSAL
from bot.settings import load_settings
from bot.surfaces import terminal
from bot.types import Answer, Turn

WHY, WHO = "合肥为什么能成功?", "科大讯飞的董事长是谁?"
CHAIRMAN = "科大讯飞董事长刘庆峰曾提出:“人工智能因为应用领域太广泛,不可能一家公司来做。” [1]"


@pytest.mark.parametrize(
    ("first", "second", "understood"),
    [
        (WHY, "那青岛呢?", "青岛为什么能成功?"),
        (WHY, "青岛呢", "青岛为什么能成功?"),
        (WHY, "what about Qingdao?", "Qingdao为什么能成功?"),
        (WHY, "那么上海和北京呢?", "上海和北京为什么能成功?"),
        ("合肥為什麼能成功?", "那青島呢?", "青島為什麼能成功?"),
        ("why did Hefei succeed?", "and Qingdao?", "why did Qingdao succeed?"),
        ("why did hefei succeed?", "how about Qingdao", "why did Qingdao succeed?"),
        ("Why is Beijing number one?", "那合肥呢?", "Why is 合肥 number one?"),
        ("北京有多少件人工智能专利?", "上海呢?", "上海有多少件人工智能专利?"),
        ("电影《搜救》的主演是谁", "《护卫者》呢?", "电影《护卫者》的主演是谁"),
        ("华为2021年的营收是多少?", "2022年呢?", "华为2022年的营收是多少?"),
        ("华为2021年的营收是多少?", "小米呢?", "小米2021年的营收是多少?"),
        ("机器学习有哪些应用?", "深度学习呢?", "深度学习有哪些应用?"),
        ("西安地铁二号线什么时候开通?", "一号线呢?", "西安地铁一号线什么时候开通?"),
        ("卡塔尔世界杯季军是哪支球队", "冠军呢?", "卡塔尔世界杯的冠军呢?"),
    ],
)
def test_another_topic_takes_the_place_of_what_is_of_its_kind(first, second, understood):
    assert standalone(second, [Turn(first, "")]) == understood


@pytest.mark.parametrize(
    ("first", "answer", "second", "understood"),
    [
        ("寒武纪哪天登陆科创板?", "", "它的前身是什么?", "寒武纪的前身是什么?"),
        ("寒武纪哪天登陆科创板?", "", "这家公司是哪一年成立的?", "寒武纪是哪一年成立的?"),
        ("寒武纪哪天登陆科创板?", "", "其前身是什么?", "寒武纪的前身是什么?"),
        (WHO, CHAIRMAN, "他说了什么?", "刘庆峰说了什么?"),
        (WHO, "", "他说了什么?", "科大讯飞的董事长说了什么?"),
        (WHO, CHAIRMAN, "What did he say?", "What did 刘庆峰 say?"),
        ("北京有多少件人工智能专利?", "", "这座城市什么时候发布了首个政策?", "北京什么时候发布了首个政策?"),
        ("西安起步早吗?", "", "那里哪几所高校增设了专业?", "西安哪几所高校增设了专业?"),
        ("When was Cambricon listed?", "", "When was it founded?", "When was Cambricon founded?"),
        ("When was Cambricon listed?", "", "Who is its founder?", "Who is Cambricon's founder?"),
        ("北京冬奥会是哪天开幕的?", "", "What was its slogan?", "What was 北京冬奥会's slogan?"),
        ("When was Cambricon listed?", "", "它的前身是什么?", "Cambricon的前身是什么?"),
        ("谁设计的?", "赵州桥由隋代工匠李春设计。", "它有多长?", "赵州桥有多长?"),
    ],
)
def test_a_pronoun_is_replaced_by_what_it_stands_for(first, answer, second, understood):
    assert standalone(second, [Turn(first, answer)]) == understood


@pytest.mark.parametrize(
    ("first", "second", "understood"),
    [
        ("为了京东方,合肥暂停了什么?", "为什么?", "为了京东方,合肥暂停了什么,为什么?"),
        (WHY, "什么时候?", "合肥什么时候能成功?"),
        (WHY, "when?", "合肥什么时候能成功?"),
        ("西安地铁什么时候开通?", "那是为什么呢?", "西安地铁为什么开通?"),
        ("When did Hefei succeed?", "why is that?", "why did Hefei succeed?"),
        ("What did Hefei suspend?", "why?", "What did Hefei suspend, and why?"),
        ("What did Hefei suspend?", "还有呢?", "What did Hefei suspend, and what else?"),
        ("合肥有什么优势?", "还有呢?", "合肥有什么优势,还有哪些?"),
        ("赵州桥是谁设计的?", "多长?", "赵州桥是谁设计的,多长?"),
        ("赵州桥是谁设计的?", "什么时候建成的?", "赵州桥什么时候建成的?"),
        (WHY, "有多少家企业?", "合肥有多少家企业?"),
        (WHY, "还有哪些企业?", "合肥还有哪些企业?"),
        ("2023年土耳其地震发生在哪一天?", "震级是多少?", "2023年土耳其地震的震级是多少?"),
    ],
)
def test_what_is_left_out_is_taken_from_the_last_question(first, second, understood):
    assert standalone(second, [Turn(first, "")]) == understood


@pytest.mark.parametrize(
    "question",
    [
        "那合肥为什么能成功?",
        "红烧肉怎么做",
        "怎么退票?",
        "什么是机器学习?",
        "为什么天空是蓝色的?",
        "其他城市为什么不成功?",
        "吉他怎么学?",
        "你呢?",
        "你好",
        "哪位作家喜欢在他的作品中引用雪莱?",
        "鲁迅为什么说他是医生?",
        "巴吞他尼府建于哪一年？",
        "「我們曾經提過。他們說不可以」此處的他們指的是誰?",
        "为什么韦小宝大吃一惊？",
        "谁难产了？",
        "那网易2022年的营收呢?",
        "Which university has its origins in a school dealing with medicine?",
        "How many households have kids under the age of 18 living in them?",
        "When imperialism impacts social norms of a state, what is it called?",
        "Is it true that Hefei succeeded?",
        "What day is it today?",
        "Who is the person who was dismissed?",
        "合" * 300 + "它呢?",
    ],
)
def test_a_question_that_stands_alone_is_never_changed(question):
    for first in (WHY, WHO, "Why is Beijing number one?"):
        assert standalone(question, [Turn(first, CHAIRMAN)]) == question


def test_the_shipped_articles_questions_stand_alone_after_one_another():
    dialogues = [json.loads(line) for line in (ROOT / "scripts" / "followups.jsonl").read_text("utf-8").splitlines()]
    firsts = [dialogue["first"] for dialogue in dialogues]
    assert [q for before, q in pairwise(firsts) if standalone(q, [Turn(before, "")]) != q] == []
    assert len(dialogues) == 40


ANY = st.text(max_size=60) | st.sampled_from(
    ["它呢?", "为什么?", "那青岛呢?", "what about it?", "《", "的", "他" * 30, "呢"]
)


@given(ANY)
def test_without_a_history_nothing_changes(question):
    assert standalone(question, []) == question


@settings(max_examples=200, deadline=None)
@given(ANY, st.lists(st.builds(Turn, ANY, ANY), max_size=5))
def test_the_result_is_the_same_each_time_and_never_empty_nor_too_long(question, history):
    understood = standalone(question, history)
    assert understood == standalone(question, history)
    assert len(understood) <= 2_000
    assert understood or not question


def test_a_topic_lives_through_a_chain_and_only_the_last_three_turns_count():
    turns: list[Turn] = []
    for question in ("青岛的工业基础如何?", "它有哪些企业?", "它的排名呢?", "为什么?", "它的优势是什么?"):
        turns.append(Turn(standalone(question, turns), ""))
    assert "青岛" in turns[-1].question
    assert [turn.question for turn in resolved([Turn("青岛呢", ""), Turn(WHY, ""), Turn("它有多少家企业?", "")])] == [
        "青岛呢",
        WHY,
        "合肥有多少家企业?",
    ]
    old = [Turn(WHY, ""), *(Turn("你好", "") for _ in range(3))]
    assert standalone("它有多少家企业?", old) == "它有多少家企业?"
    assert standalone("它有多少家企业?", old[:3]) == "合肥有多少家企业?"


def test_the_latest_topic_wins():
    assert standalone("它有多少家企业?", [Turn("北京如何?", ""), Turn(WHY, "")]) == "合肥有多少家企业?"


def test_a_topic_is_what_a_question_names_without_what_is_of_it():
    def named(text):
        return [chunk.of(text) for chunk in topics(text)]

    assert named("卡塔尔世界杯季军是哪支球队") == ["卡塔尔世界杯"]
    assert named("坠毁的MU5735航班上有多少人") == ["MU5735航班"]
    assert named("哪些城市属于第二梯队?") == ["梯队"]
    assert named("Which universities in Xi'an opened AI majors?")[0] == "Xi'an"
    assert is_relational("总导演")
    assert not is_relational("人工智能")
    assert "".join(word.text for word in words("科大讯飞的董事长")) == "科大讯飞的董事长"


def test_the_bot_answers_what_was_understood_and_says_so(article_bot):
    first = article_bot.ask(WHY)
    assert (first.standalone, first.turn) == ("", Turn(WHY, first.text))
    second = article_bot.ask("那北京呢?", [first.turn])
    assert (second.query, second.standalone) == ("那北京呢?", "北京为什么能成功?")
    assert second.turn.question == "北京为什么能成功?"
    assert "北京" in second.evidence[0].hit.passage.text
    assert second.to_dict()["standalone"] == "北京为什么能成功?"
    alone = article_bot.ask("北京为什么能成功?")
    assert [e.hit for e in alone.evidence] == [e.hit for e in second.evidence]
    assert article_bot.ask("红烧肉怎么做?").turn == Turn("红烧肉怎么做?", "")
    assert article_bot.ask("when?", [Turn("红烧肉怎么做?", "")]).text == REFUSAL["en"]


def test_an_english_question_about_a_chinese_thing_keeps_its_english_words(article_bot):
    (hit,) = article_bot.search("Which universities in 西安 opened AI majors?", 1)
    assert "西北工业大学" in hit.passage.text


def test_a_message_begins_with_how_it_was_understood():
    said = Answer("那*青岛*呢", "没有", True, 0.1, (), "passages", {}, "g", {}, "*青岛*\n为什么能成功?")
    assert render(said, PLAIN) == "（理解为:*青岛* 为什么能成功?）\n\n没有"
    assert render(said, MARKDOWN).startswith(r"（理解为:\*青岛\* 为什么能成功?）")
    english = Answer("what about it", "nothing", True, 0.1, (), "passages", {}, "g", {}, "what about 青岛")
    assert render(english, PLAIN).startswith("(understood as: what about 青岛)\n\n")
    assert render(Answer("问", "没有", True, 0.1, (), "passages", {}, "g"), PLAIN) == "没有"


@pytest.fixture(scope="module")
def client(article_bot):
    with TestClient(create_app(article_bot, article_bot.settings), raise_server_exceptions=False) as client:
        yield client


def test_the_api_takes_a_history_as_it_was_typed(client):
    history = [{"question": WHY, "answer": "因为魄力"}, {"question": "那北京呢?", "answer": ""}]
    body = {"question": "它有多少件专利?", "history": history}
    found = client.post("/api/ask", json=body).json()
    assert (found["query"], found["standalone"]) == ("它有多少件专利?", "北京有多少件专利?")
    assert client.post("/api/ask", json={"question": "它有多少件专利?"}).json()["standalone"] == ""
    events = client.post("/api/chat", json=body).text
    done = json.loads(events.split("event: done")[1].partition("data: ")[2])
    assert done["standalone"] == "北京有多少件专利?"


def test_the_api_cuts_a_long_history_and_refuses_what_is_none(client):
    long = [{"question": "长" * 3_000, "answer": "长" * 20_000}] * 8
    turns = [*long, {"question": WHY, "answer": "长" * 17_000}]
    found = client.post("/api/ask", json={"question": "那北京呢?", "history": [{"question": "旧"}] * 20 + turns[-2:]})
    assert found.json()["standalone"] == "北京为什么能成功?"
    for history in ("青岛", [1], [{"question": 1}]):
        assert client.post("/api/ask", json={"question": "那北京呢?", "history": history}).status_code == 422


def test_openai_clients_send_the_conversation(article_bot):
    with (
        served(create_app(article_bot, article_bot.settings)) as url,
        openai.OpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0) as client,
    ):
        said = [
            ("user", WHY),
            ("assistant", "（理解为:x）\n\n因为魄力。 [1]"),
            ("user", "那青岛呢?"),
            ("user", "那北京呢?"),
        ]
        messages = [{"role": role, "content": text} for role, text in said]
        content = client.chat.completions.create(model="wenqu", messages=messages).choices[0].message.content
        assert content.startswith("（理解为:北京为什么能成功?）\n\n")
        alone = client.chat.completions.create(model="wenqu", messages=[messages[0]]).choices[0].message.content
        assert "理解为" not in alone


def test_the_terminal_keeps_the_turns_until_they_are_cleared(article_bot):
    console = Console(file=io.StringIO(), force_terminal=False, soft_wrap=True)
    said: list[Answer] = []
    for line in (WHY, "那北京呢?"):
        terminal._turn(article_bot, lambda answer: answer, console, line, said)
    assert "(理解为 / understood as: 北京为什么能成功?)" in console.file.getvalue()
    terminal._turn(article_bot, lambda answer: answer, console, "/sources", said)
    assert console.file.getvalue().count("understood as") == 2
    terminal._turn(article_bot, lambda answer: answer, console, "/clear", said)
    assert said == []
    terminal._turn(article_bot, lambda answer: answer, console, "那北京呢?", said)
    assert said[0].standalone == ""
    assert "忘掉" in terminal.HELP


def inbound(text: str, user: str = "U", reply_to: str = "") -> Inbound:
    return Inbound("slack", "T", "C", user, text, text, reply_to)


def test_a_channel_remembers_by_thread_and_by_user(article_bot, tmp_path, monkeypatch):
    import asyncio

    bot = article_bot
    monkeypatch.setattr(bot, "settings", load_settings(corpus=bot.settings.corpus, index=bot.settings.index))
    desk = Desk(bot)

    async def run():
        await desk.answer(inbound(WHY, "U", "thread"))
        return [
            (await desk.answer(message)).answer.standalone
            for message in (
                inbound("那北京呢?", "V", "thread"),  # another user of the thread
                inbound("那上海呢?", "U"),  # the first user, outside of it
                inbound("那上海呢?", "W"),  # somebody else
            )
        ]

    assert asyncio.run(run()) == ["北京为什么能成功?", "上海为什么能成功?", ""]


def test_a_memory_forgets_what_is_old_and_what_is_too_much(monkeypatch):
    memory = Memory()
    for number in range(5):
        memory.keep(inbound("x"), Turn(str(number), ""))
    assert [turn.question for turn in memory.turns(inbound("y"))] == ["2", "3", "4"]
    monkeypatch.setattr("bot.channels.desk._MAX_CONVERSATIONS", 2)
    for user in "abc":
        memory.keep(inbound("x", user), Turn(user, ""))
    assert memory.turns(inbound("y")) == memory.turns(inbound("y", "a")) == []
    assert memory.turns(inbound("y", "c")) == [Turn("c", "")]
    monkeypatch.setattr("bot.channels.desk._FRESH_SECONDS", -1.0)
    assert memory.turns(inbound("y", "c")) == []
