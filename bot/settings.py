"""The settings, read once from the environment (prefix WENQU_) and from .env. No other file reads the environment."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from bot.errors import SettingsError

ROOT = Path(__file__).resolve().parents[1]
BUNDLED_MODEL = "bundled"
_NO_SECRET = SecretStr("")
_RATE = r"[1-9][0-9]{0,6}/(second|minute|hour|day)"
_ORIGIN = r"https?://[A-Za-z0-9.\-]+(:[0-9]{1,5})?"


class Settings(BaseSettings):
    """Every setting of the bot; each field is the environment variable WENQU_<FIELD>."""

    model_config = SettingsConfigDict(env_prefix="WENQU_", env_file=".env", extra="ignore", frozen=True)

    corpus: Path = Field(ROOT / "corpus", description="Folder with the articles.")
    index: Path = Field(ROOT / "index", description="Folder in which the index is built.")
    model: str = Field(
        BUNDLED_MODEL, description="Embedding model: bundled, or a sentence-transformers name or folder."
    )
    engine: str = Field("faiss", pattern="^[a-z_]+$", description="Vector engine: a module of bot/engines.")
    engine_url: str = Field(
        "", pattern="^[^ @?#]*$", description="Address of the engine's server, or for milvus-lite a file, NAME.db."
    )
    engine_token: SecretStr = Field(_NO_SECRET, description="Token of that server, user:password.")
    passage_size: int = Field(500, ge=50, le=500, description="Most characters of a passage.")
    sources: int = Field(3, ge=1, le=20, description="Most sources an answer shows.")
    threshold: float = Field(0.4, ge=0, le=1, description="Confidence below which the bot declines to answer.")
    host: str = Field("127.0.0.1", description="Address that `wenqu serve` listens on.")
    port: int = Field(8000, ge=0, le=65535, description="Port that `wenqu serve` listens on.")
    workers: int = Field(1, ge=1, le=64, description="Processes of `wenqu serve`, over one index.")
    watch: bool = Field(True, description="Whether `wenqu serve` indexes a change of the corpus by itself.")
    insecure: bool = Field(False, description="Whether `wenqu serve` may listen beyond this machine without a key.")
    allowed_hosts: str = Field(
        "", pattern=r"^[A-Za-z0-9.\-, ]*$", description="Host names the server goes by, beside localhost, with commas."
    )
    max_concurrent: int = Field(32, ge=1, le=1000, description="Most questions that are answered at a time.")
    rate_limit: str = Field(
        "30/minute; 300/hour",
        pattern=rf"^({_RATE}( *; *{_RATE})*)?$",
        description="Most questions of one address; empty: any number. This machine's own are not counted.",
    )
    log: Literal["text", "json"] = Field(
        "text", description="What `wenqu serve` logs: text for what went wrong; json for each request and answer too."
    )
    max_question: int = Field(2000, ge=10, le=2000, description="Most characters of a question.")
    history: bool = Field(True, description="Whether `wenqu chat` keeps the questions of earlier sessions.")
    journal: bool = Field(True, description="Whether the journal keeps the questions.")
    journal_days: int = Field(90, ge=1, le=3650, description="Days that the journal keeps questions and feedback.")
    public_url: str = Field(
        "", pattern="^(https?://[^ ]+)?$", description="Address at which users reach `wenqu serve`: sources link to it."
    )

    # A key in the address would be shown wherever the address is, hence no @ and no query.
    llm_url: str = Field(
        "", pattern="^(https?://[^ @?#]+)?$", description="Address of an OpenAI-compatible server that words answers."
    )
    llm_model: str = Field("", description="Model that words answers, as its server names it.")
    llm_key: SecretStr = Field(_NO_SECRET, description="Key of that server.")
    llm_seconds: float = Field(60, ge=1, le=600, description="Most seconds that an answer in words may take.")

    # A channel is on when its secrets are set; without them its routes do not exist.
    api_key: SecretStr = Field(
        _NO_SECRET, description="Key that every request must carry; Slack, WeChat and WeCom sign theirs instead."
    )
    cors_origins: str = Field("", description="Origins whose pages may call /v1, separated by commas.")
    widget_origins: str = Field(
        "",
        pattern=rf"^({_ORIGIN}( *, *{_ORIGIN})*)?$",
        description="Origins whose pages may hold the widget, separated by commas.",
    )
    mcp: bool = Field(False, description="Whether `wenqu serve` answers MCP clients at /mcp.")
    slack_bot_token: SecretStr = Field(_NO_SECRET, description="Slack: bot token, xoxb-...")
    slack_signing_secret: SecretStr = Field(_NO_SECRET, description="Slack: signing secret, for events over HTTP.")
    slack_app_token: SecretStr = Field(_NO_SECRET, description="Slack: app token, xapp-..., for Socket Mode.")
    wechat_token: SecretStr = Field(_NO_SECRET, description="WeChat 公众号: Token of the server settings.")
    wechat_app_id: str = Field("", description="WeChat 公众号: AppID.")
    wechat_aes_key: SecretStr = Field(_NO_SECRET, description="WeChat 公众号: EncodingAESKey, 43 characters.")
    wechat_app_secret: SecretStr = Field(_NO_SECRET, description="WeChat 公众号: AppSecret, for late answers.")
    wecom_token: SecretStr = Field(_NO_SECRET, description="WeCom application: Token of its callback.")
    wecom_aes_key: SecretStr = Field(_NO_SECRET, description="WeCom application: EncodingAESKey, 43 characters.")
    wecom_corp_id: str = Field("", description="WeCom: CorpID.")
    wecom_agent_id: int = Field(0, ge=0, description="WeCom application: AgentId.")
    wecom_secret: SecretStr = Field(_NO_SECRET, description="WeCom application: Secret, to send answers.")
    wecom_bot_id: str = Field("", description="WeCom AI bot: Bot ID of the long connection.")
    wecom_bot_secret: SecretStr = Field(_NO_SECRET, description="WeCom AI bot: Secret of the long connection.")


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
