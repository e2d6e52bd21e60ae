"""Where vectors live, one file per engine, picked by WENQU_ENGINE; `exact.py` is what all others are measured against.

A new engine is a new file here with a class `Engine` (see bot.types.Engine); the contract tests find it by themselves.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from bot import types
from bot.errors import SettingsError
from bot.types import Rows, Vectors


@runtime_checkable
class LexicalEngine(Protocol):
    """What an engine offers beside Engine when the terms of the passages live in it too.

    Only its order counts: the scores by which we fuse, rank and decline are computed here, for the rows it brings.
    """

    def holds_words(self) -> bool:
        """False where the server is too old for the lexical leg."""
        ...

    def add_passages(self, vectors: Vectors, terms: Sequence[Sequence[str]]) -> None:
        """Append vectors and the terms of their passages."""
        ...

    def search_fused(self, query: Vectors, terms: Sequence[str], k: int) -> Rows:
        """The best rows of both legs, `k` of each, fused by rank, best first."""
        ...

    @classmethod
    def drop(cls, state: bytes) -> None:
        """Remove from the server all that a file that `save` wrote names. Raises EngineDown."""
        ...


_CURES = {"milvus": "pip install -e '.[milvus]'"}


# The engines that this folder holds, read once: where it cannot be read later, the engine in use is not unknown.
NAMES = sorted(module.name for module in pkgutil.iter_modules(__path__))


def check_engine_name(name: str) -> None:
    """Raise SettingsError, naming the engines there are, when `name` is none of them."""
    if name not in NAMES:
        known = ", ".join(NAMES)
        raise SettingsError(f"没有向量引擎 {name}", "there is no engine of that name", f"WENQU_ENGINE = one of {known}")


def engine_class(name: str, url: str = "", token: str = "") -> type[types.Engine]:
    """The engine's class, imported now; one that lives on a server is bound to `url` and `token`.

    Raises SettingsError when there is none or its package is missing.
    """
    check_engine_name(name)
    try:
        module = importlib.import_module(f"{__name__}.{name}")
    except ImportError as error:
        raise SettingsError(
            f"引擎 {name} 缺少依赖",
            f"the engine cannot be imported: {error}",
            _CURES.get(name, "pip install -e . or WENQU_ENGINE=exact"),
        ) from error
    engine: type[types.Engine] = module.at(url, token) if hasattr(module, "at") else module.Engine
    return engine
