"""What names of columns and fields look like, and what values."""

from __future__ import annotations

import re
from functools import lru_cache

MAX_NAME = 40  # letters of a column's name; a longer one is cut in the rows, and said in full once above them
# What columns and the fields of a form are called, whole or at the end of a longer name.
_ENDINGS = """
序号 编号 编码 代码 代号 学号 工号 型号 账号 文号 证号 证件号 号码 名称 标题 项目 内容 类别 类型 种类 分类 科类 品目
品名 品牌 规格 数量 单位 单价 总价 报价 价格 售价 原价 现价 金额 预算 决算 合计 小计 备注 说明 要求 标准 分值 得分
满分 权重 比例 占比 比重 时间 日期 年份 年度 年月 月份 期限 工期 周期 有效期 频次 地点 地址 住址 产地 位置 区域 地区
姓名 名字 性别 年龄 民族 籍贯 学历 学位 课程 科目 节次 课时 学时 学分 成绩 分数 分数线 最低分 最高分 平均分 位次 批次
计划 计划数 职务 职称 职位 岗位 电话 手机 传真 邮箱 邮编 邮件 网址 网站 微信 微信号 联系方式 联系人 负责人 经办人
申请人 代表人 字段 参数 描述 含义 解释 释义 定义 取值 默认值 数值 版本 状态 结果 结论 指标 方法 方式 步骤 流程 条件
情形 情况 等级 级别 层次 排名 名次 库存 供应商 厂家 厂商 生产商 人数 户数 总数 包号 标段 条款 条款号 格式 页码 因素
因子 维度 省份 国籍 功能 模块 措施 依据 来源 用途 作用 特点 优点 缺点 症状 病因 剂量 用法 尺寸 重量 长度 宽度 高度
面积 体积 容量 颜色 材质 功率 电压 电流 频率 温度 湿度 速度 税率 税额 利率 费率 费用 运费 成本 收入 支出 利润 余额
增长率 同比 环比 增减 人口 车次 出发地 目的地 星期 上午 下午 率 额 费 值 期末 期初 期末数 期初数 年末 年初 本年数
上年数 本期 上期
"""
# These are names only by themselves: 甲学校 is one of the schools.
_WHOLE = """
问题 答案 公司 学校 院校 学院 院系 专业 班级 年级 教师 老师 教室 部门 科室 处室 城市 国家 市县 商品 产品 文件 材料
站点 星级 处 值 人 no id code name type key value item items unit units price amount quantity qty date time year age
phone email address description desc note notes remark remarks status title source total country nationality parameter
"""
_NAMES, _WHOLE_NAMES = frozenset(_ENDINGS.split()), frozenset(_WHOLE.split())
_LONGEST_WORD = 4  # letters of the words in _NAMES
PERIOD = re.compile(
    r"[一二三四五六七八九十\d]{1,3}月份?|第?[一二三四1-4]季度|(?:周|星期)[一二三四五六日天1-7]|(?:19|20)\d\d年度?"
)
_LONGEST_NAME = 14  # letters
_IN_BRACKETS = re.compile(r"[（(【\[].*?[）)】\]]")
_MARKS = str.maketrans("", "", " \u3000:：*＊★▲、/")
SENTENCE = re.compile(r"[。；;！!？?](?!$)|。$")
_HAN = re.compile(r"[\u3400-\u9fff]")
_BETWEEN_HAN = re.compile(r"(?<=[\u3400-\u9fff]) (?=[\u3400-\u9fff])")
DIGIT = re.compile(r"[\d０-９]")
# A number or a date with its unit: 12.5, ¥1,200元, 95%, 612分, 2024-05-01, 2021年, 10:42, 10～15kg, <0.1.
_NUMBER = re.compile(
    r"[¥￥$€<>≤≥≈±+\-−—~约]*[\d０-９][\d０-９,，.．:：/\-−—~～至年月日时分秒×xX*%％‰ ]*"
    r"(?:[a-zA-Zμ°℃㎡²³/·Ω]{1,8}|[元万亿千百十个分人次件台套只支本页天周岁米克吨度名户家亩座辆/平方立升毫厘公里斤]{1,5})?"
)
_NOTHING = re.compile(
    r"[-—–/\\.…*×xX√○●无是否]{1,4}|n/?a|true|false|yes|no", re.IGNORECASE
)  # what people write into cells without a value
NOTE = re.compile(r"[*※]?\s*(?:备?注|说明|附注|资料来源|数据来源|来源|填表说明)\s*\d*\s*[：:.、]")


@lru_cache(maxsize=8192)
def is_name(text: str) -> bool:
    """Whether a text is what columns or fields are usually called."""
    if len(text) > 2 * MAX_NAME:
        return False
    bare = _IN_BRACKETS.sub("", text).translate(_MARKS)
    if not bare or len(bare) > _LONGEST_NAME or (bare.isascii() and len(bare.split()) > 3):
        return False
    ends = any(bare[-length:] in _NAMES for length in range(1, _LONGEST_WORD + 1))
    return ends or bare.lower().rstrip(".") in _WHOLE_NAMES or bool(PERIOD.fullmatch(bare))


def is_label(text: str) -> bool:
    """Whether a text names the value beside it."""
    return len(text) <= MAX_NAME and (text.endswith(("：", ":")) or is_name(text))


@lru_cache(maxsize=8192)
def is_value(text: str) -> bool:
    """Whether a text is a number with or without a unit, a date, or a code of digits and letters."""
    if not DIGIT.search(text):
        return bool(_NOTHING.fullmatch(text))
    return bool(_NUMBER.fullmatch(text)) or (not _HAN.search(text) and " " not in text)


def is_short(text: str) -> bool:
    """Whether a text is short and no sentence."""
    return len(text) <= MAX_NAME and not SENTENCE.search(text)


def bare(name: str) -> str:
    """A name without its colon, and without the spaces that spread two letters over a column."""
    return _BETWEEN_HAN.sub("", name).rstrip("：: ") or name


def short_of(name: str) -> str:
    """A name that can be said in every row."""
    if len(name) <= MAX_NAME:
        return name
    without = _IN_BRACKETS.sub("", name)
    return without if 0 < len(without) <= MAX_NAME else name[: MAX_NAME - 1] + "…"
