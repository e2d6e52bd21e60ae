"""Errors that a user can act on. Each message says what happened, where, and what cures it; anything else is a bug."""

from __future__ import annotations


class WenquError(Exception):
    """Base of all errors that are shown as one clear line, never as a traceback: 中文 / English → cure."""

    def __init__(self, zh: str, en: str, cure: str = "") -> None:
        """What happened and where, in both languages, and the command or setting that cures it."""
        super().__init__(f"{zh} / {en}" + (f" → {cure}" if cure else ""))


class QueryError(WenquError):
    """The question cannot be asked as it stands."""


class CorpusError(WenquError):
    """The corpus folder is missing, or holds nothing that can be read."""


class ReadError(WenquError):
    """One file cannot be read; the run goes on without it. `code` is stable, for reports and tests."""

    def __init__(self, code: str, zh: str, en: str, cure: str = "") -> None:
        """Keep the code beside the reason, and the parts, from which another process makes the error anew."""
        super().__init__(zh, en, cure)
        self.code = code
        self.parts = (code, zh, en, cure)


class IndexMissing(WenquError):  # noqa: N818  the name says the state, as IndexDamaged does
    """No generation has been published yet."""


class IndexDamaged(WenquError):  # noqa: N818
    """A file of the index is not the one that was published."""

    def __init__(self, file: object, detail: object = "") -> None:
        """Name the file, and what is wrong with it where that is known."""
        more = f" ({detail})" if detail else ""
        super().__init__(f"索引文件已损坏: {file}{more}", "this file of the index is damaged", "wenqu index")


class IndexMismatch(WenquError):  # noqa: N818
    """The index was made by another model, dictionary, format or setting."""


class IndexSuperseded(WenquError):  # noqa: N818
    """Another process published a generation meanwhile."""

    def __init__(self, index: object) -> None:
        """Name the folder."""
        super().__init__(f"索引已被更新: {index}", "the index was updated meanwhile", "再试一次 / try again")


class IndexBusy(WenquError):  # noqa: N818
    """Another process is writing the index."""


class IndexUnwritable(WenquError):  # noqa: N818
    """The index folder cannot be written: no room, no right, or an I/O error."""

    def __init__(self, path: object, detail: object) -> None:
        """Name the file or folder, and what the system says."""
        what = f"无法写入索引: {path} ({detail})"
        super().__init__(what, "the index cannot be written", "df -h; ls -ld; WENQU_INDEX=...")


class EngineDown(WenquError):  # noqa: N818
    """The server that holds the vectors does not answer, or no longer holds them; words alone still answer."""

    def __init__(self, url: str, detail: object) -> None:
        """Name the server and what it said."""
        super().__init__(
            f"向量服务不可用: {url} ({detail})",
            "the vector server cannot be used",
            "启动它,或 wenqu index / start it, or wenqu index",
        )


class ModelError(WenquError):
    """The embedding model cannot be loaded."""


class WordingError(WenquError):
    """No model worded the answer: its server is down, slow or rude. The passages are there all the same."""


class SettingsError(WenquError):
    """A setting has a value that cannot be used."""


class JournalError(WenquError):
    """The journal cannot be used."""

    def __init__(self, file: object, detail: object) -> None:
        """Name the file and what is wrong with it."""
        super().__init__(
            f"无法使用记录文件: {file} ({detail})",
            "the journal cannot be used",
            "检查磁盘和权限,或移走该文件 / check disk and rights, or move the file away",
        )
