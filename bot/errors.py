"""Errors that users can act on: each message says what happened, where, and how to fix it. Anything else is a bug."""

from __future__ import annotations


class WenquError(Exception):
    """Base of all errors that users see as one clear line instead of a traceback: 中文 / English → cure."""

    def __init__(self, zh: str, en: str, cure: str = "") -> None:
        """What happened and where, in both languages, and the command or setting that fixes it."""
        super().__init__(f"{zh} / {en}" + (f" → {cure}" if cure else ""))


class QueryError(WenquError):
    """The question cannot be asked as it stands."""


class CorpusError(WenquError):
    """The corpus folder is missing, or nothing in it can be read."""


class FileError(WenquError):
    """Something is wrong with one file; others are not concerned. `code` is stable, for reports and tests."""

    def __init__(self, code: str, zh: str, en: str, cure: str = "") -> None:
        """Keep the code, and the parts from which another process can make the same error."""
        super().__init__(zh, en, cure)
        self.code = code
        self.parts = (code, zh, en, cure)


class ReadError(FileError):
    """One file cannot be read; the run continues without it."""


class StoreError(FileError):
    """One file cannot be put into the corpus folder or taken out of it; the folder is as it was."""


class IndexMissing(WenquError):
    """No generation has been published yet."""


class IndexDamaged(WenquError):
    """A file of the index is not as it was published."""

    def __init__(self, file: object, detail: object = "") -> None:
        """Name the file and, if known, what is wrong with it."""
        more = f"（{detail}）" if detail else ""
        super().__init__(f"索引文件已损坏：{file}{more}", "this file of the index is damaged", "wenqu index")


class IndexMismatch(WenquError):
    """The index was made with another model, dictionary, format or setting."""


class IndexSuperseded(WenquError):
    """Another process has published a generation in the meantime."""

    def __init__(self, index: object) -> None:
        """Name the folder."""
        super().__init__(f"索引已被更新：{index}", "the index was updated meanwhile", "再试一次 / try again")


class IndexBusy(WenquError):
    """Another process is writing the index."""


class IndexUnwritable(WenquError):
    """The index folder cannot be written: no space, no permission, or an I/O error."""

    def __init__(self, path: object, detail: object) -> None:
        """Name the file or folder, and what the system says."""
        what = f"无法写入索引：{path}（{detail}）"
        super().__init__(what, "the index cannot be written", "df -h; ls -ld; WENQU_INDEX=...")


class EngineDown(WenquError):
    """The vector server does not answer or no longer has the vectors; the lexical leg still answers."""

    def __init__(self, url: str, detail: object) -> None:
        """Name the server and what it said."""
        super().__init__(
            f"向量服务不可用：{url}（{detail}）",
            "the vector server cannot be used",
            "启动它，或 wenqu index / start it, or wenqu index",
        )


class ModelError(WenquError):
    """The embedding model cannot be loaded."""


class WordingError(WenquError):
    """No model worded the answer because its server failed; the answer from the passages is still there."""


class SettingsError(WenquError):
    """A setting has a value that cannot be used."""


class JournalError(WenquError):
    """The journal cannot be used."""

    def __init__(self, file: object, detail: object) -> None:
        """Name the file and what is wrong with it."""
        super().__init__(
            f"无法使用记录文件：{file}（{detail}）",
            "the journal cannot be used",
            "稍后再试，或检查磁盘和权限；文件损坏时移走它 "
            "/ try again, or check disk and permissions; move the file away if it is damaged",
        )
