"""Forty questions that a document beside theirs seems to answer, and forty that it does answer."""

from __future__ import annotations

import pytest
from conftest import write_articles

from bot.pipeline import Bot
from bot.settings import load_settings

DOCUMENTS = {
    "东湖校区.txt": """
东湖校区生活指南

图书馆开放时间为早八点到晚十点。
食堂设在二号楼，刷校园卡就餐。
校医院电话是87651234。
""",
    "南山校区.txt": """
南山校区生活指南

图书馆开放时间为早九点到晚九点。
食堂设在五号楼，支持手机支付。
校医院电话是87655678。
""",
    "水费2022.txt": """
2022年居民水费标准

第一阶梯每吨2.8元，第二阶梯每吨4.2元。
滞纳金为每日千分之三。
""",
    "水费2023.txt": """
2023年居民水费标准

第一阶梯每吨3.0元，第二阶梯每吨4.5元。
滞纳金为每日千分之五。
""",
    "净水器.txt": """
清泉净水器说明书

QT-500 的滤芯每六个月更换一次。
QT-700 的滤芯每九个月更换一次。
E12 报警表示水压不足。
E15 报警表示滤芯到期。
QT-500 的售价为1980元。
""",
    "销售月报.txt": """
城东店销售月报

一月份销售额为三十二万元。
二月份销售额为二十八万元。
四月份销售额为四十一万元。
""",
    "管理办法.txt": """
仓库管理办法

第一条 仓库实行双人双锁。
第二条 出库须凭领料单。
第四条 每季度盘点一次。
第六条 本办法由物资部解释。
""",
    "班子.txt": """
海天集团管理层介绍

海天集团董事长为林国栋，1998年创办公司。
海天集团财务总监为周敏。
海天集团总部设在宁波，在青岛设有分公司。
""",
    "航班.txt": """
机场巴士时刻

去西站的机场巴士每三十分钟一班，票价二十元。
去北站的机场巴士每小时一班，票价二十五元。
""",
    "联系人.txt": """
值班安排

王建华值周一，手机尾号3301。
刘思远值周三，手机尾号3302。
陈晓燕值周五，手机尾号3303。
""",
    "路线.txt": """
公园步道

甲线全长三公里，适合老人。
乙线全长八公里，途经瀑布。
石门山海拔一千二百米。
云台山海拔九百八十米。
""",
}
# Each with what answers it; what has none is answered by no document.
QUESTIONS = """
东湖校区的图书馆几点开门？ 早八点
西溪校区的图书馆几点开门？
西溪校区的校医院电话是多少？
南山校区的校医院电话是多少？ 87655678
东湖校区的校医院电话是多少？ 87651234
北辰校区的食堂在哪里？
南山校区的食堂在哪里？ 五号楼
2022年第一阶梯水费每吨多少元？ 2.8
2021年第一阶梯水费每吨多少元？
2023年第一阶梯水费每吨多少元？ 3.0
2024年第二阶梯水费每吨多少元？
2020年水费的滞纳金是多少？
二〇二三年水费的滞纳金是多少？ 千分之五
QT-500的滤芯多久更换一次？ 六个月
QT-600的滤芯多久更换一次？
QT700的滤芯多久更换一次？ 九个月
QT-900的滤芯多久更换一次？
E12报警是什么意思？ 水压不足
E13报警是什么意思？
E18报警是什么意思？
E15报警是什么意思？ 滤芯到期
QT-300的售价是多少？
QT-500的售价是多少？ 1980
一月份销售额是多少？ 三十二万
三月份销售额是多少？
4月份的销售额是多少？ 四十一万
五月份销售额是多少？
十二月份销售额是多少？
2月的销售额是多少？ 二十八万
第一条规定了什么？ 双人双锁
第三条规定了什么？
第5条规定了什么？
第4条规定了什么？ 每季度盘点
第六条规定了什么？ 物资部
第十六条规定了什么？
海天集团的董事长是谁？ 林国栋
海天集团的总经理是谁？
海天集团的财务总监是谁？ 周敏
蓝海集团的董事长是谁？
海天集团总部设在哪里？ 宁波
远洋集团总部设在哪里？
去西站的机场巴士票价是多少？ 二十元
去南站的机场巴士票价是多少？
去东站的机场巴士多久一班？
去北站的机场巴士多久一班？ 每小时
王建华值周几？ 周一
张建国值周几？
刘思远的手机尾号是多少？ 3302
李思远的手机尾号是多少？
赵晓燕的手机尾号是多少？
陈晓燕值周几？ 周五
甲线全长多少公里？ 三公里
丙线全长多少公里？
乙线全长多少公里？ 八公里
丁线途经什么？
石门山海拔多少米？ 一千二百米
天目山海拔多少米？
云台山海拔多少米？ 九百八十米
黄山海拔多少米？
第二阶梯在2022年每吨多少元？ 4.2
东湖校区的食堂在哪里？ 二号楼
泰山海拔多少米？
QT-800的滤芯多久更换一次？
E21报警是什么意思？
六月份销售额是多少？
第八条规定了什么？
戊线全长多少公里？
2019年第一阶梯水费每吨多少元？
2023年第二阶梯水费每吨多少元？ 4.5
城东店二月份的销售额是多少？ 二十八万
盘点多久一次？ 每季度
出库凭什么？ 领料单
孙小梅值周几？
机场巴士去西站多久一班？ 三十分钟
周敏是什么职务？ 财务总监
乙线途经什么？ 瀑布
海天集团哪一年创办？ 1998
E15表示什么？ 滤芯到期
海天集团在哪里设有分公司？ 青岛
QT-500多少钱？ 1980
南海集团的财务总监是谁？
2018年水费的滞纳金是多少？
华山海拔多少米？
""".strip().split("\n")
ANSWERS = dict(line.partition("？")[::2] for line in QUESTIONS)


@pytest.fixture(scope="module")
def said(tmp_path_factory, embedder):
    folder = tmp_path_factory.mktemp("neighbours")
    bot = Bot(
        load_settings(
            corpus=write_articles(folder / "c", {name: text.lstrip() for name, text in DOCUMENTS.items()}),
            index=folder / "i",
        ),
        embedder,
    )
    return {question: bot.ask(f"{question}？") for question in ANSWERS}


def test_there_are_forty_of_each():
    assert len([wanted for wanted in ANSWERS.values() if not wanted]) == 40
    assert len([wanted for wanted in ANSWERS.values() if wanted]) >= 40


def test_at_most_two_are_answered_about_another(said):
    answered = [question for question, wanted in ANSWERS.items() if not wanted and not said[question].refused]
    assert len(answered) <= 2, answered


def test_the_neighbours_are_answered(said):
    wrong = [
        (question, said[question].text)
        for question, wanted in ANSWERS.items()
        if wanted and (said[question].refused or wanted.strip() not in said[question].text)
    ]
    assert len(wrong) <= 4, wrong
