"""The settings, read from the environment (prefix WENQU_) and from .env. No other file reads the environment.

Paths, that of .env too, are relative to the folder in which the program was started.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from bot.errors import SettingsError

BUNDLED_MODEL = "bundled"
_NO_SECRET = SecretStr("")
_RATE = r"[1-9][0-9]{0,6}/(second|minute|hour|day)"
_ASKS = r"(slack|wechat|wecom|wecom_bot)(:[^=;,]+)?=[^=;]+"
_ORIGIN = r"https?://[A-Za-z0-9.\-]+(:[0-9]{1,5})?"


def _setting(default: object, en: str, zh: str, **limits: Any) -> Any:
    """A field with what it means in English and Chinese; scripts/settings_page.py makes the manual's page of it."""
    return Field(default, description=en, json_schema_extra={"zh": zh}, **limits)


class Settings(BaseSettings):
    """Every setting of the bot; each field is the environment variable WENQU_<FIELD>."""

    model_config = SettingsConfigDict(env_prefix="WENQU_", env_file=".env", extra="ignore", frozen=True)

    corpus: Path = _setting(Path("corpus"), "Folder with the documents.", "资料文件夹。")
    index: Path = _setting(Path("index"), "Folder in which the index is built.", "存放索引的文件夹。")
    model: str = _setting(
        BUNDLED_MODEL,
        "Embedding model: `bundled`, or a sentence-transformers name or folder.",
        "向量模型：`bundled` 是自带的；也可以填 sentence-transformers 的模型名或文件夹。",
    )
    engine: str = _setting(
        "faiss",
        "Vector engine: `faiss`, `exact` or `milvus`.",
        "向量引擎：`faiss`、`exact` 或 `milvus`。",
        pattern="^[a-z_]+$",
    )
    engine_url: str = _setting(
        "",
        "Address of the engine's server, or for milvus-lite a file, `NAME.db`.",
        "向量引擎的服务地址；用 milvus-lite 时是一个文件，如 `NAME.db`。",
        pattern="^[^ @?#]*$",
    )
    engine_token: SecretStr = _setting(
        _NO_SECRET, "Token of that server, `user:password`.", "该服务的令牌，形如 `user:password`。"
    )
    passage_size: int = _setting(500, "Most characters of a passage.", "一个段落最多多少字。", ge=50, le=500)

    sources: int = _setting(3, "Most sources an answer shows.", "一个回答最多列几条出处。", ge=1, le=20)
    threshold: float = _setting(
        0.4,
        "Confidence below which the bot declines to answer.",
        "置信度低于它就不回答，只说资料里没有。",
        ge=0,
        le=1,
    )
    max_question: int = _setting(2000, "Most characters of a question.", "一个问题最多多少字。", ge=10, le=2000)
    history: bool = _setting(
        True,
        "Whether `wenqu chat` keeps the questions of earlier sessions.",
        "`wenqu chat` 是否记住以前输入过的问题。",
    )

    host: str = _setting("127.0.0.1", "Address that `wenqu serve` listens on.", "`wenqu serve` 监听的地址。")
    port: int = _setting(
        8000,
        "Port that `wenqu serve` listens on; 0 takes a free one.",
        "`wenqu serve` 监听的端口；0 表示任选一个空闲端口。",
        ge=0,
        le=65535,
    )
    workers: int = _setting(
        1, "Processes of `wenqu serve`, over one index.", "`wenqu serve` 的进程数，共用一个索引。", ge=1, le=64
    )
    watch: bool = _setting(
        True,
        "Whether `wenqu serve` indexes a change of the documents by itself.",
        "资料变动时，`wenqu serve` 是否自动更新索引。",
    )
    insecure: bool = _setting(
        False,
        "Whether `wenqu serve` may listen beyond this machine without a key.",
        "没有密钥时，是否允许 `wenqu serve` 对本机以外开放。",
    )
    api_key: SecretStr = _setting(
        _NO_SECRET,
        "Key that every request must carry; Slack, WeChat and WeCom sign theirs instead.",
        "每个请求都要带的密钥；Slack、微信和企业微信的请求自带签名，不用它。",
    )
    allowed_hosts: str = _setting(
        "",
        "Host names the server goes by, beside localhost, with commas.",
        "除 localhost 外，服务器还认哪些主机名，用逗号隔开。",
        pattern=r"^[A-Za-z0-9.\-, ]*$",
    )
    public_url: str = _setting(
        "",
        "Address at which users reach `wenqu serve`: sources link to it.",
        "用户访问 `wenqu serve` 的地址，出处会链接到这里。",
        pattern="^(https?://[^ ]+)?$",
    )
    cors_origins: str = _setting(
        "",
        "Origins whose pages may call `/v1`, separated by commas.",
        "哪些网站的网页可以调用 `/v1`（写来源，如 `https://a.example`），用逗号隔开。",
    )
    widget_origins: str = _setting(
        "",
        "Origins whose pages may hold the widget, separated by commas.",
        "哪些网站可以嵌入问答挂件（写来源），用逗号隔开。",
        pattern=rf"^({_ORIGIN}( *, *{_ORIGIN})*)?$",
    )
    mcp: bool = _setting(
        False,
        "Whether `wenqu serve` answers MCP clients at `/mcp`.",
        "`wenqu serve` 是否在 `/mcp` 上接待 MCP 客户端。",
    )
    max_concurrent: int = _setting(
        32, "Most questions that are answered at a time.", "最多同时回答几个问题。", ge=1, le=1000
    )
    rate_limit: str = _setting(
        "30/minute; 300/hour",
        "Most questions of one address; empty: any number. This machine's own are not counted.",
        "每个来源地址最多问多少次；留空则不限。本机的提问不计。",
        pattern=rf"^({_RATE}( *; *{_RATE})*)?$",
    )
    log: Literal["text", "json"] = _setting(
        "text",
        "What `wenqu serve` logs: `text` for what went wrong; `json` for each request and answer too.",
        "`wenqu serve` 的日志：`text` 只记出错；`json` 还记每个请求和回答。",
    )

    journal: bool = _setting(True, "Whether the journal keeps the questions.", "是否把问题记入提问记录。")
    journal_days: int = _setting(
        90,
        "Days that the journal keeps questions and feedback.",
        "提问记录把问题和反馈保存多少天。",
        ge=1,
        le=3650,
    )

    # A key in the address would be shown wherever the address is, hence no @ and no query.
    llm_url: str = _setting(
        "",
        "Address of an OpenAI-compatible server that words answers.",
        "用来组织回答文字的大模型服务（兼容 OpenAI 接口）的地址。",
        pattern="^(https?://[^ @?#]+)?$",
    )
    llm_model: str = _setting("", "Model that words answers, as its server names it.", "该服务里的模型名。")
    llm_key: SecretStr = _setting(_NO_SECRET, "Key of that server.", "该服务的密钥。")
    llm_seconds: float = _setting(
        60, "Most seconds that an answer in words may take.", "大模型组织一个回答最多用多少秒。", ge=1, le=600
    )

    channel_collections: str = _setting(
        "",
        "Folders that a channel asks, `slack=handbook,rules; slack:C0123=rules; wechat=handbook`; others ask all.",
        "各渠道只问哪些文件夹，如 `slack=手册,制度; slack:C0123=制度; wechat=手册`；没写的渠道问全部。",
        pattern=rf"^({_ASKS}( *; *{_ASKS})*)?$",
    )
    # A channel is on when its secrets are set; without them its routes do not exist.
    slack_bot_token: SecretStr = _setting(
        _NO_SECRET, "Slack: bot token, which begins with `xoxb-`.", "Slack 的 Bot Token，以 `xoxb-` 开头。"
    )
    slack_signing_secret: SecretStr = _setting(
        _NO_SECRET, "Slack: signing secret, for events over HTTP.", "Slack 的 Signing Secret，HTTP 接法要用。"
    )
    slack_app_token: SecretStr = _setting(
        _NO_SECRET,
        "Slack: app token, which begins with `xapp-`, for Socket Mode.",
        "Slack 的 App Token，以 `xapp-` 开头，Socket Mode 接法要用。",
    )
    wechat_token: SecretStr = _setting(
        _NO_SECRET, "WeChat 公众号: Token of the server settings.", "公众号“服务器配置”里的 Token。"
    )
    wechat_app_id: str = _setting("", "WeChat 公众号: AppID.", "公众号的 AppID。")
    wechat_aes_key: SecretStr = _setting(
        _NO_SECRET, "WeChat 公众号: EncodingAESKey, 43 characters.", "公众号的 EncodingAESKey，43 个字符。"
    )
    wechat_app_secret: SecretStr = _setting(
        _NO_SECRET, "WeChat 公众号: AppSecret, for late answers.", "公众号的 AppSecret，补发来不及的回答要用。"
    )
    wecom_token: SecretStr = _setting(
        _NO_SECRET, "WeCom application: Token of its callback.", "企业微信应用“接收消息”里的 Token。"
    )
    wecom_aes_key: SecretStr = _setting(
        _NO_SECRET,
        "WeCom application: EncodingAESKey, 43 characters.",
        "企业微信应用的 EncodingAESKey，43 个字符。",
    )
    wecom_corp_id: str = _setting("", "WeCom: CorpID.", "企业微信的企业 ID（CorpID）。")
    wecom_agent_id: int = _setting(0, "WeCom application: AgentId.", "企业微信应用的 AgentId。", ge=0)
    wecom_secret: SecretStr = _setting(
        _NO_SECRET, "WeCom application: Secret, to send answers.", "企业微信应用的 Secret，发送回答要用。"
    )
    wecom_bot_id: str = _setting(
        "", "WeCom AI bot: Bot ID of the long connection.", "企业微信智能机器人的 Bot ID（长连接）。"
    )
    wecom_bot_secret: SecretStr = _setting(
        _NO_SECRET, "WeCom AI bot: Secret of the long connection.", "企业微信智能机器人的 Secret（长连接）。"
    )


def load_settings(**overrides: object) -> Settings:
    """The settings with the given ones replaced; an override of None is no override.

    Raises SettingsError naming the variable and what it takes.
    """
    try:
        return Settings(**{name: value for name, value in overrides.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = f"WENQU_{first['loc'][0]}".upper() if first["loc"] else "WENQU_*"
        raise SettingsError(
            f"设置 {name} 的值不可用",
            f"{name} cannot be used: {first['msg']}",
            "改正环境变量或 .env / mend the environment",
        ) from error
