"""`wenqu doctor CHANNEL --url ...`: acts as the platform towards a running server and reports what the server did.

It signs, encrypts, repeats, forges, replays and delays requests, as the platform or an attacker would.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime

import httpx

from bot.channels.desk import SIGNED_SECONDS
from bot.cli.doctor.checks import unknown_channel
from bot.cli.doctor.findings import BAD, GOOD, ODD, Finding
from bot.cli.doctor.platforms import PLATFORMS, Parcel, Platform
from bot.settings import Settings

_TIMEOUT = httpx.Timeout(15.0, connect=5.0)
_DEADLINES = {"slack": 3.0, "wechat": 5.0, "wecom": 5.0}
_CLOCK_SECONDS = 60


def rehearse(channel: str, settings: Settings, url: str) -> Iterator[Finding]:
    """Findings about how the server at `url` handles a channel's requests.

    Raises SettingsError if the channel is unknown or its secrets are not set here.
    """
    if channel not in PLATFORMS:
        raise unknown_channel(channel, PLATFORMS)
    platform = PLATFORMS[channel](settings)
    with httpx.Client(timeout=_TIMEOUT) as client:
        try:
            found = platform.probe(platform.secret, int(time.time())).send(client, url)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            yield Finding(BAD, f"连不上 / cannot be reached: {url} ({type(error).__name__}) → wenqu serve")
            return
        yield from _clock(found)
        trouble = _trouble(found, platform)
        yield trouble or Finding(GOOD, "地址校验 / verification of the address")
        if trouble:
            return
        yield _other_slash(platform, client, url)
        yield from _deliveries(channel, platform, client, url)
        yield from _forgeries(platform, client, url)


def _clock(response: httpx.Response) -> Iterator[Finding]:
    if date := response.headers.get("date"):
        off = abs(parsedate_to_datetime(date).timestamp() - time.time())
        if off > _CLOCK_SECONDS:
            yield Finding(BAD, f"两边时钟相差 / the clocks differ by {off:.0f} s → NTP")
        else:
            yield Finding(GOOD, f"时钟 / clock: {off:.0f} s")


def _trouble(response: httpx.Response, platform: Platform) -> Finding | None:
    """What is wrong with the response to the verification of the address; None if nothing is."""
    status, kind = response.status_code, response.headers.get("content-type", "")
    if response.is_redirect:
        where = response.headers.get("location", "")
        return Finding(
            BAD,
            f"被重定向到 / redirected to {where}: 平台不跟随 / platforms do not follow → 改反向代理 / fix the proxy",
        )
    if status == 404:
        return Finding(
            BAD, f"404: 路径不对，或服务器没有设置 / wrong path, or not set on the server: {platform.settings}"
        )
    if "text/html" in kind:
        return Finding(
            BAD, "返回了网页：反向代理把这个路径指向了别处 / a page came back: the proxy sends this path elsewhere"
        )
    if status == 401:
        return Finding(BAD, f"401: 这里和服务器的设置不同 / the settings here and there differ: {platform.settings}")
    if status != 200:
        return Finding(BAD, f"HTTP {status}: 见服务器日志 / see the server's log")
    if not platform.is_probe_answer(response):
        return Finding(BAD, "没有原样返回发送的字符串 / the answer is not exactly the string that was sent")
    return None


def _other_slash(platform: Platform, client: httpx.Client, url: str) -> Finding:
    other = url[:-1] if url.endswith("/") else f"{url}/"
    found = platform.probe(platform.secret, int(time.time())).send(client, other)
    if found.status_code == 200:
        return Finding(GOOD, "末尾斜杠有无皆可 / works with and without a trailing slash")
    return Finding(ODD, f"{other}: HTTP {found.status_code} → 后台只填 / enter only {url}")


def _deliveries(channel: str, platform: Platform, client: httpx.Client, url: str) -> Iterator[Finding]:
    """How the server handles one message that is delivered three times at once."""
    parcel = platform.message(platform.secret, int(time.time()))

    def timed(_: int) -> tuple[httpx.Response, float]:
        begun = time.monotonic()
        return parcel.send(client, url), time.monotonic() - begun

    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(timed, range(3)))
    slowest = max(seconds for _, seconds in answers)
    codes = sorted({answer.status_code for answer, _ in answers})
    if codes == [200] and all(platform.is_reply(answer) for answer, _ in answers):
        yield Finding(GOOD, "同一消息送达三次 / one message delivered three times")
    else:
        yield Finding(BAD, f"消息没有得到应有的回应 / a message was not answered as it should have been: HTTP {codes}")
    limit = _DEADLINES[channel]
    state = GOOD if slowest < limit / 2 else ODD if slowest < limit else BAD
    yield Finding(state, f"最慢 / slowest: {slowest:.2f} s（上限 / limit {limit:.0f} s）")


def _forgeries(platform: Platform, client: httpx.Client, url: str) -> Iterator[Finding]:
    now = int(time.time())
    good = platform.message(platform.secret, now)
    forged = {
        "别的密钥 / another secret": platform.message(f"{platform.secret[:-1]}~", now),
        "过期 / stale": platform.message(platform.secret, now - SIGNED_SECONDS - 5),
        "来自未来 / from the future": platform.message(platform.secret, now + SIGNED_SECONDS + 5),
        "没有签名 / unsigned": Parcel(good.method, {}, {}, good.body),
        "改过的正文 / an altered body": _altered(platform, good, client, url),
    }
    for name, parcel in forged.items():
        status = parcel.send(client, url).status_code
        if status == 401:
            yield Finding(GOOD, f"已拒绝 / refused: {name}")
        else:
            yield Finding(BAD, f"没有拒绝 / not refused: {name} (HTTP {status})")


def _altered(platform: Platform, good: Parcel, client: httpx.Client, url: str) -> Parcel:
    """A request that was already delivered, but with the body of another one: a replay of its signature."""
    good.send(client, url)
    other = platform.message(platform.secret, int(time.time()))
    return Parcel(good.method, good.query, good.headers, other.body)
