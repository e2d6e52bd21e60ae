"""Write the manual's pages of settings from bot/settings.py; with --check only say whether they are up to date.

python scripts/settings_page.py [--check]
"""

from __future__ import annotations

import sys
from pathlib import Path

from pydantic import SecretStr
from pydantic.fields import FieldInfo

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bot.settings import Settings  # noqa: E402

# Heading in both languages, the page that says more, and the settings below the heading.
GROUPS = [
    ("Folders and engine", "文件夹和引擎", "models", "corpus index model engine engine_url engine_token passage_size"),
    ("Answering", "回答", "asking", "sources threshold max_question history"),
    ("Serving", "对外服务", "deploying", "host port workers watch log public_url"),
    (
        "Who may ask, and how much",
        "谁能问，能问多少",
        "http-api",
        "api_key insecure allowed_hosts cors_origins rate_limit max_concurrent",
    ),
    ("Widget and MCP", "网页挂件和 MCP", "page", "widget_origins mcp"),
    ("Journal", "提问记录", "journal", "journal journal_days"),
    ("LLM", "大模型", "llm", "llm_url llm_model llm_key llm_seconds"),
    ("All channels", "各渠道", "asking", "channel_collections"),
    ("Slack", "Slack", "slack", "slack_bot_token slack_app_token slack_signing_secret"),
    ("WeChat", "微信公众号", "wechat", "wechat_app_id wechat_token wechat_aes_key wechat_app_secret"),
    (
        "WeCom",
        "企业微信",
        "wecom",
        "wecom_corp_id wecom_agent_id wecom_secret wecom_token wecom_aes_key wecom_bot_id wecom_bot_secret",
    ),
]
INTRODUCTION = {
    "en": """# Settings

Every setting is an environment variable, or a line `NAME=value` in a file `.env` in the folder in which you start
Wenqu. A variable counts before `.env`, and an option of a command before both.

```sh
WENQU_SOURCES=1 wenqu ask "合肥为什么能成功?"
wenqu info
```

`wenqu info` shows what holds now; secrets are shown as stars. Paths are relative to the folder in which you start
Wenqu. A value that cannot be used is named, with what it should be, and nothing is started.
""",
    "zh": """# 设置

每一项设置都是一个环境变量，也可以写进启动问渠时所在文件夹里的 `.env` 文件，一行一个 `名字=值`。
环境变量优先于 `.env`，命令行选项又优先于两者。

```sh
WENQU_SOURCES=1 wenqu ask "合肥为什么能成功?"
wenqu info
```

`wenqu info` 列出现在生效的设置，其中的密钥只显示星号。路径相对于启动问渠时所在的文件夹。
值不可用时，问渠会说出是哪一项、该怎么写，并且不启动。
""",
}
HEADER = {"en": "| variable | default | meaning |", "zh": "| 变量 | 默认值 | 含义 |"}
WORDS = {
    "en": {
        "empty": "empty",
        "hidden": "A secret.",
        "range": "From {} to {}.",
        "from": "At least {}.",
        "more": "More on this",
    },
    "zh": {"empty": "空", "hidden": "需保密。", "range": "可填 {} 到 {}。", "from": "不小于 {}。", "more": "详细说明"},
}


def main(check: bool) -> int:
    """Write both pages, or compare them; the exit code."""
    made = pages().items()
    stale = {path: text for path, text in made if not path.exists() or path.read_text(encoding="utf-8") != text}
    for path, text in stale.items():
        if check:
            print(f"{path.relative_to(ROOT)}: not what bot/settings.py says → python scripts/settings_page.py")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return int(check and bool(stale))


def pages() -> dict[Path, str]:
    """The text of each page, by its file."""
    return {ROOT / "bot" / "guide" / language / "settings.md": page(language) for language in INTRODUCTION}


def page(language: str) -> str:
    """The page in one language. Raises ValueError when a setting is in no group, or in two."""
    listed = [name for *_, names in GROUPS for name in names.split()]
    if sorted(listed) != sorted(Settings.model_fields):
        raise ValueError(f"not in one group: {sorted(set(listed) ^ set(Settings.model_fields))}")
    parts = [INTRODUCTION[language]]
    for english, chinese, more, names in GROUPS:
        rows = [row(name, Settings.model_fields[name], language) for name in names.split()]
        heading = english if language == "en" else chinese
        link = f"[{WORDS[language]['more']}]({more}.md)"
        parts.append("\n".join([f"## {heading}\n", HEADER[language], "|---|---|---|", *rows, "", link, ""]))
    return "\n".join(parts)


def row(name: str, field: FieldInfo, language: str) -> str:
    """One setting as a row of the table."""
    extra = field.json_schema_extra
    meaning = field.description if language == "en" else extra["zh"]
    notes = [meaning, *limits(field, language)]
    if field.annotation is SecretStr:
        notes.append(WORDS[language]["hidden"])
    return f"| `WENQU_{name.upper()}` | {default(field, language)} | {(' ' if language == 'en' else '').join(notes)} |"


def default(field: FieldInfo, language: str) -> str:
    """The default as one writes it into the environment."""
    value = field.default
    if isinstance(value, SecretStr) or value == "":
        return WORDS[language]["empty"]
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def limits(field: FieldInfo, language: str) -> list[str]:
    """The bounds of a number, in words; none where there are none."""
    lowest = next((bound.ge for bound in field.metadata if hasattr(bound, "ge")), None)
    highest = next((bound.le for bound in field.metadata if hasattr(bound, "le")), None)
    if lowest is None:
        return []
    return [WORDS[language]["from" if highest is None else "range"].format(lowest, highest)]


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
