"""Errors that a user can act on. Each message says what happened, where, and what cures it; anything else is a bug."""

from __future__ import annotations


class WenquError(Exception):
    """Base of all errors that are shown as one clear line, never as a traceback."""

    exit_code = 2


class QueryError(WenquError):
    """The question cannot be asked as it stands."""


class CorpusError(WenquError):
    """The corpus folder is missing, or holds nothing that can be read."""


class ReadError(WenquError):
    """One file cannot be read; the run goes on without it. `code` is stable, for reports and tests."""

    def __init__(self, code: str, reason: str) -> None:
        """Keep the code beside the reason."""
        super().__init__(reason)
        self.code = code


class IndexMissing(WenquError):  # noqa: N818  the name says the state, as IndexDamaged does
    """No generation has been published yet."""


class IndexDamaged(WenquError):  # noqa: N818
    """A file of the index is not the one that was published."""


class IndexMismatch(WenquError):  # noqa: N818
    """The index was made by another model, dictionary, format or setting."""


class IndexBusy(WenquError):  # noqa: N818
    """Another process is writing the index."""


class ModelError(WenquError):
    """The embedding model cannot be loaded."""


class SettingsError(WenquError):
    """A setting has a value that cannot be used."""
