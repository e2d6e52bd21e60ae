"""bot.text.kinds: a text without any price does not say what something costs."""

from __future__ import annotations

import pytest

from bot.text.fold import fold
from bot.text.kinds import lacks_kind

BRIDGE = "赵州桥又名安济桥，由李春设计，建成于公元605年，桥长64.40米，第3名。"


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("赵州桥的门票多少钱", BRIDGE),
        ("赵州桥门票价格是多少？", BRIDGE),
        ("赵州桥几点开门", BRIDGE),
        ("赵州桥管理处的电话是多少", BRIDGE),
        ("赵州桥的邮箱是多少", BRIDGE),
        ("赵州桥的官网地址", BRIDGE),
        ("How much does a ticket cost?", BRIDGE),
        ("What time does it open?", BRIDGE),
        ("几点停航", "战时期间停航，时间未定。"),
    ],
)
def test_nothing_of_the_kind_is_there(question, text):
    assert lacks_kind(fold(question), fold(text))


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("门票多少钱", "门票四十元。"),
        ("门票多少钱", "成人票60，儿童票30。"),
        ("门票多少钱", "门票：免费"),
        ("双眼皮的价格", "价格在六千多到一万多不等。"),
        ("OVA的价格最高到多少钱", "价格约为14800日元。"),
        ("快餐加盟多少钱", "大概需要投资一百万以上。"),
        ("价格怎么算", BRIDGE),  # asks for something else than a price
        ("为什么涨价", BRIDGE),
        ("几点开门", "每日六时开航。"),
        ("几点开门", "8:30至17:00"),
        ("几点开门", "上午开放。"),
        ("值班电话是多少", "值班电话6220"),
        ("客服热线", "请拨 400-123-4567。"),
        ("官网地址", "见 www.example.com"),
        ("赵州桥由谁设计", BRIDGE),
        ("赵州桥有几点特色", "特色有三：其一，大拱；其二，小拱；上午看最好。"),
    ],
)
def test_something_of_the_kind_is_there_or_was_not_asked_for(question, text):
    assert not lacks_kind(fold(question), fold(text))
