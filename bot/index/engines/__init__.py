"""Vector engines, one file each, chosen by WENQU_ENGINE; `exact.py` is the reference for tests of the others.

A new engine needs a file here with a class that implements `bot.types.Engine`, and a line in ENGINES; the contract
tests then cover it too.
"""

from __future__ import annotations

import importlib
from pathlib import Path

from bot import types
from bot.errors import SettingsError
from bot.settings import Settings

# Name -> module and class, and the command that installs what it needs.
ENGINES = {
    "exact": ("exact", "ExactEngine", ""),
    "faiss": ("faiss", "FaissEngine", "pip install faiss-cpu, or WENQU_ENGINE=exact"),
    "milvus": ("milvus", "MilvusEngine", "pip install 'wenqu[milvus]'"),
}


def check_engine_name(name: str) -> None:
    """Raise SettingsError, which lists the engines, if `name` is not one of them."""
    if name not in ENGINES:
        known = ", ".join(ENGINES)
        raise SettingsError(f"没有向量引擎 {name}", "there is no engine of that name", f"WENQU_ENGINE = one of {known}")


def engine_class(name: str, url: str = "", token: str = "") -> type[types.Engine]:
    """The engine's class, imported now; the class of a server engine is bound to `url` and `token`.

    Raises SettingsError if there is no such engine or its package is missing.
    """
    check_engine_name(name)
    module, class_name, cure = ENGINES[name]
    try:
        imported = importlib.import_module(f"{__name__}.{module}")
    except ImportError as error:
        raise SettingsError(f"引擎 {name} 缺少依赖", f"the engine cannot be imported: {error}", cure) from error
    engine: type[types.Engine] = imported.at(url, token) if hasattr(imported, "at") else getattr(imported, class_name)
    return engine


def engine_of(settings: Settings) -> type[types.Engine]:
    """The class of the engine in the settings. Raises SettingsError."""
    return engine_class(settings.engine, settings.engine_url, settings.engine_token.get_secret_value())


def vectors_file(folder: Path, engine: str) -> Path:
    """The file that an engine writes in a folder."""
    return folder / f"vectors.{engine}"
