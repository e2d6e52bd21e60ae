"""bot.answer.followup: what leans on the turns before is made to stand alone, what stands alone is left as it is."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from itertools import pairwise

import openai
import pytest
from conftest import ROOT, served
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from bot.answer.followup import resolved, standalone
from bot.channels.desk import Desk, Inbound, Memory
from bot.channels.message import MARKDOWN, PLAIN, render
from bot.cli import chat
from bot.pipeline import REFUSAL
from bot.settings import load_settings
from bot.text.mentions import is_relational, topics, words
from bot.types import Answer, Turn
from bot.web.app import create_app

WHY, WHO = "合肥为什么能成功?", "科大讯飞的董事长是谁?"
CHAIRMAN = "科大讯飞董事长刘庆峰曾提出:“人工智能因为应用领域太广泛,不可能一家公司来做。” [1]"


@pytest.mark.parametrize(
    ("first", "second", "understood"),
    [
        (WHY, "那青岛呢?", "青岛为什么能成功?"),
        (WHY, "青岛呢", "青岛为什么能成功?"),
        (WHY, "what about Qingdao?", "青岛市为什么能成功?"),
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
        ("卡塔尔世界杯季军是哪支球队", "冠军呢?", "卡塔尔世界杯冠军是哪支球队"),
        ("结算数据库部署在哪里?", "那回溯数据库呢?", "回溯数据库部署在哪里?"),
        ("差旅费管理办法的住宿费上限是多少?", "会议费管理办法呢?", "会议费管理办法的住宿费上限是多少?"),
        ("城南支行的行长是谁?", "那城西支行呢?", "城西支行的行长是谁?"),
        ("退款政策是什么?", "退货呢?", "退货政策是什么?"),
        ("星瀚X1的续航是多久?", "X2", "星瀚X2的续航是多久?"),
        ("心肺复苏第四步做什么?", "第五步呢?", "心肺复苏第五步做什么?"),
        ("年假满一年有几天?", "满十年呢?", "年假满十年有几天?"),
        ("A座会议室能坐多少人?", "B座呢?", "B座会议室能坐多少人?"),
        ("周三上午心内科谁出诊?", "下午呢?", "周三下午心内科谁出诊?"),
        ("我国2021年人口出生率是多少?", "城镇化率呢?", "我国2021年人口城镇化率是多少?"),
        ("北京到上海的高铁票多少钱?", "到广州呢?", "北京到广州的高铁票多少钱?"),
        ("密码忘了怎么办?", "账号被锁呢?", "账号被锁怎么办?"),
        ("高血压患者能吃阿司匹林吗?", "糖尿病患者呢?", "糖尿病患者能吃阿司匹林吗?"),
        (
            "Who is the manager of the north branch?",
            "what about the south branch?",
            "Who is the manager of the south branch?",
        ),
    ],
)
def test_another_topic_takes_the_place_of_what_is_of_its_kind(first, second, understood):
    assert standalone(second, [Turn(first, "")]) == understood


@pytest.mark.parametrize(
    ("first", "second", "understood"),
    [
        ("结算数据库部署在哪里?", "端口号是多少?", "结算数据库的端口号是多少?"),
        ("结算数据库部署在哪里?", "负责人呢?", "结算数据库的负责人是谁?"),
        ("结算数据库部署在哪里?", "谁负责?", "结算数据库谁负责?"),
        ("城北支行几点开门?", "预约电话是多少?", "城北支行的预约电话是多少?"),
        ("永嘉县水利局局长是谁?", "办公地点在哪里?", "永嘉县水利局的办公地点在哪里?"),
        ("星瀚X2的特点是什么?", "价格呢?", "星瀚X2的价格是多少?"),
        ("星瀚X2的特点是什么?", "那价格", "星瀚X2的价格是多少?"),
        ("星瀚X2的特点是什么?", "滤芯呢?", "星瀚X2的滤芯呢?"),
        ("星瀚X2的特点是什么?", "它的保修期呢?", "星瀚X2的保修期是多久?"),
        ("星瀚X2的特点是什么?", "多少钱?", "星瀚X2多少钱?"),
        ("星瀚X2的特点是什么?", "支持洗地吗?", "星瀚X2支持洗地吗?"),
        ("申请居住证需要哪些材料?", "在哪里办理?", "居住证在哪里办理?"),
        ("帮我查一下体检费用", "地点呢?", "体检的地点在哪里?"),
        ("陪产假有几天?", "怎么申请?", "陪产假怎么申请?"),
        ("加班费怎么算?", "交通费呢?", "交通费怎么算?"),
        ("普通员工的住宿标准是多少?", "部门经理呢?", "部门经理的住宿标准是多少?"),
        ("病假怎么请?", "超过三天呢?", "病假超过三天怎么请?"),
        (
            "What are the opening hours of the museum?",
            "And the ticket price?",
            "what about the ticket price of museum?",
        ),
    ],
)
def test_an_attribute_is_asked_of_the_whole_topic(first, second, understood):
    assert standalone(second, [Turn(first, "")]) == understood


@pytest.mark.parametrize(
    "said", ["谢谢", "好的,谢谢!", "你好", "嗯嗯", "明白了,谢谢医生", "太贵了", "Thanks a lot!", "ok, got it"]
)
def test_thanks_and_greetings_are_no_topic(said):
    before = [Turn("星瀚X1的特点是什么?", ""), Turn(said, "")]
    assert standalone("它的续航呢?", before) == "星瀚X1的续航是多少?"
    assert standalone("它的续航呢?", [*before, before[1], before[1], before[1]]) == "星瀚X1的续航是多少?"
    assert standalone(f"{said.rstrip('!')}, 价格呢?", before[:1]) == "星瀚X1的价格是多少?"
    assert standalone(said, before[:1]) == said


@pytest.mark.parametrize(
    ("turns", "last", "understood"),
    [
        (["星瀚X1和星瀚X2有什么不同?"], "哪个续航更长?", "星瀚X1和星瀚X2哪个续航更长?"),
        (["三号锅炉和五号锅炉有什么区别?"], "后者的价格呢?", "五号锅炉的价格是多少?"),
        (["龙井茶产于哪里?", "碧螺春产于哪里?"], "它们有什么区别?", "龙井茶和碧螺春有什么区别?"),
        (["Which is older, Python or Ruby?"], "which one is faster?", "which one is faster, Python or Ruby?"),
    ],
)
def test_what_is_chosen_between_are_the_two_things_before(turns, last, understood):
    assert standalone(last, [Turn(question, "") for question in turns]) == understood


@pytest.mark.parametrize(
    ("first", "answer", "second", "understood"),
    [
        ("Why did Hefei succeed?", "", "那北京呢?", "北京为什么成功?"),
        ("How many employees does Acme have?", "", "那华为呢?", "华为有多少员工?"),
        ("What is the port of the billing database?", "", "那审计数据库呢?", "What is the port of the 审计数据库?"),
        ("When was the tea farm founded?", "龙脊茶场创办于1987年。", "门票呢?", "龙脊茶场的门票是多少钱?"),
        ("When was the tea farm founded?", "龙脊茶场创办于1987年。", "它在哪里?", "龙脊茶场在哪里?"),
        ("合肥为什么能成功?", "", "And Beijing?", "北京为什么能成功?"),
        ("星瀚X2的特点是什么?", "", "What about the price?", "what about the price of 星瀚X2?"),
        ("Redis默认端口是多少?", "", "MySQL呢?", "MySQL默认端口是多少?"),
    ],
)
def test_a_dialogue_may_change_its_language(first, answer, second, understood):
    assert standalone(second, [Turn(first, answer)]) == understood


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
        ("星瀚X1的特点是什么?", "", "上面说的这款尘盒多大?", "星瀚X1尘盒多大?"),
        ("岩顶肉桂的产地在哪里?", "", "刚才说的这款茶多少钱?", "岩顶肉桂多少钱?"),
        ("差旅费管理办法什么时候施行?", "", "该办法有几条?", "差旅费管理办法有几条?"),
        ("北岭大桥有多长?", "", "他是谁?", "他是谁?"),
        (
            "Who is the head of the farm?",
            "",
            "What is his phone number?",
            "What is the head of the farm's phone number?",
        ),
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
        ("赵州桥是谁设计的?", "多长?", "赵州桥多长?"),
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
        "邮箱容量多大?",
        "公司地址在哪里?",
        "退货率是多少?",
        "加班费怎么算?",
        "哪个城市最大?",
        "有没有外星人?",
        "第一个登上月球的人是谁?",
        "谁可以申请助学金?",
        "好的,食堂几点开门?",
        "病假",
        "工龄",
        "当地时间12日，哪里遭遇恐怖袭击",
        "那城西有几家店?",
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


def test_the_questions_of_the_measured_dialogues_stand_alone_after_one_another():
    dialogues = [json.loads(line) for line in (ROOT / "scripts" / "followups.jsonl").read_text("utf-8").splitlines()]
    firsts = [dialogue["first"] for dialogue in dialogues]
    assert [q for before, q in pairwise(firsts) if standalone(q, [Turn(before, "")]) != q] == []
    wholes = [(dialogue["first"], dialogue["whole"]) for dialogue in dialogues]
    assert [whole for before, whole in wholes if standalone(whole, [Turn(before, "")]) != whole] == []
    assert len(dialogues) == 80


def test_the_first_follow_up_loads_no_dictionary_of_its_own():
    code = (
        "import sys; from bot.answer.followup import standalone; from bot.types import Turn;"
        "print(standalone('那青岛呢?', [Turn('合肥为什么能成功?', '')]), 'jieba' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert said.split() == ["青岛为什么能成功?", "False"]


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
    old = [Turn(WHY, ""), *(Turn("怎么退票?", "") for _ in range(3))]
    assert standalone("它有多少家企业?", old) == "它有多少家企业?"
    assert standalone("它有多少家企业?", old[:3]) == "合肥有多少家企业?"


def test_the_latest_topic_wins():
    assert standalone("它有多少家企业?", [Turn("北京如何?", ""), Turn(WHY, "")]) == "合肥有多少家企业?"


def test_a_topic_is_what_a_question_names_without_what_is_of_it():
    def named(text):
        return [chunk.within(text) for chunk in topics(text)]

    assert named("卡塔尔世界杯季军是哪支球队") == ["卡塔尔世界杯"]
    assert named("坠毁的MU5735航班上有多少人") == ["MU5735航班"]
    assert named("哪些城市属于第二梯队?") == ["第二梯队"]
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
    with TestClient(create_app(article_bot), raise_server_exceptions=False) as client:
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
        served(create_app(article_bot)) as url,
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
        chat._turn(article_bot, lambda answer: answer, console, line, said)
    assert "(理解为 / understood as: 北京为什么能成功?)" in console.file.getvalue()
    chat._turn(article_bot, lambda answer: answer, console, "/sources", said)
    assert console.file.getvalue().count("understood as") == 2
    chat._turn(article_bot, lambda answer: answer, console, "/clear", said)
    assert said == []
    chat._turn(article_bot, lambda answer: answer, console, "那北京呢?", said)
    assert said[0].standalone == ""
    assert "忘掉" in chat.HELP


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
