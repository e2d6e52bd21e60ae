"""P2: after a power loss at any moment the index is the old one or the new one, and what was published is there."""

from __future__ import annotations

import itertools
import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import write_articles
from index_runs import ADDED, QUESTIONS, digest, state_of

from bot.index import changes, publish
from bot.index.build import build_index
from bot.index.opened import open_index
from bot.settings import load_settings

pytestmark = pytest.mark.slow

Tree = dict[str, "Tree | int"]  # name -> folder, or the inode of a file
DAMAGES: dict[str, Callable[[bytes, random.Random], bytes | None]] = {
    "deleted": lambda data, rng: None,
    "zeroed": lambda data, rng: bytes(len(data)),
    "cut in half": lambda data, rng: data[: len(data) // 2],
    "untouched": lambda data, rng: data,
    "one bit flipped": lambda data, rng: flipped(data, rng),
    "emptied": lambda data, rng: b"",
}


def flipped(data: bytes, rng: random.Random) -> bytes:
    if not data:
        return data
    place = rng.randrange(len(data))
    return data[:place] + bytes([data[place] ^ 1 << rng.randrange(8)]) + data[place + 1 :]


class Disk:
    """What a disk is sure to hold of a folder: the contents and the names that were there at their last fsync.

    A step is any call by which bot changes the folder. At each one the power may fail: contents that were not synced
    are damaged, and names that were not synced are there as they are now or as they were. What libraries sync by
    themselves counts for nothing here.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.contents: dict[int, bytes] = {}
        self.names: dict[int, dict[str, int]] = {}
        self.folders: dict[str, int] = {}
        self.states: list[tuple[str, tuple]] = []  # the call, and what a power loss before it may leave
        for path in [folder.parent, *folder.rglob("*"), folder]:
            if path.exists():
                self._synced(path)

    def _synced(self, path: Path) -> None:
        inode = path.stat().st_ino
        if path.is_dir():
            self.names[inode] = {entry.name: entry.inode() for entry in os.scandir(path)}
        else:
            self.contents[inode] = path.read_bytes()

    def step(self, call: str) -> None:
        """Remember what there is now."""
        files, folders = {}, {}
        for path in [self.folder.parent, self.folder, *self.folder.rglob("*")]:
            if path.exists():
                status = path.stat()
                if path.is_dir():
                    folders[status.st_ino] = {entry.name: entry.inode() for entry in os.scandir(path)}
                else:
                    files[status.st_ino] = path.read_bytes()
        self.states.append((call, (files, folders, dict(self.contents), dict(self.names))))

    def watch(self, patch: pytest.MonkeyPatch) -> None:
        """Make a step of every call."""
        fsync = os.fsync

        def synced(descriptor: int) -> None:
            self.step("fsync")
            fsync(descriptor)
            self._synced(Path(f"/proc/self/fd/{descriptor}").resolve())

        patch.setattr(os, "fsync", synced)
        for name in ("rename", "replace", "mkdir", "unlink", "rmdir"):
            patch.setattr(os, name, self._before(name, getattr(os, name)))

    def _before(self, name: str, function: Callable) -> Callable:
        def called(*arguments, **options):
            self.step(name)
            return function(*arguments, **options)

        return called


def losses(state: tuple, root: Path, rng: random.Random) -> Iterator[tuple[str, dict[str, bytes | None]]]:
    """What a power loss may leave of a folder, in each of the six ways and with each of the names that may be."""
    files, folders, contents, names = state
    known = {**contents, **files}
    for kind, damage in DAMAGES.items():
        for order in ("all names as they are now", "none", *renamed(folders, names)):
            damaged = {
                inode: data if contents.get(inode) == data else damage(data, rng) for inode, data in files.items()
            }
            yield f"{kind}, {order}", dict(laid_out(root, order, damaged, known, folders, names))


def renamed(folders: dict, names: dict) -> list[tuple[int, str]]:
    """Names that were made or changed since their folder was synced: each may be there alone."""
    return [
        (inode, name) for inode, now in folders.items() for name in now if now[name] != names.get(inode, {}).get(name)
    ]


def laid_out(root: Path, order, damaged: dict, known: dict, folders: dict, names: dict) -> Iterator[tuple[str, bytes]]:
    """(path, content) of the files under the folder of which `root` is one name."""

    def entries(inode: int) -> dict[str, int]:
        now, synced = folders.get(inode, names.get(inode, {})), names.get(inode, {})
        if order == "all names as they are now":
            return now
        alone = {order[1]: now[order[1]]} if isinstance(order, tuple) and order[0] == inode else {}
        return {**synced, **alone}

    def walk(inode: int, path: str) -> Iterator[tuple[str, bytes]]:
        for name, child in entries(inode).items():
            if child in folders or child in names:
                yield from walk(child, f"{path}/{name}")
            else:
                content = damaged.get(child, known.get(child))
                if content is not None:
                    yield f"{path}/{name}", content

    top = root.parent.stat().st_ino
    if root.name in entries(top):
        yield from walk(entries(top)[root.name], "")


def seen_of(settings, embedder) -> str:
    seen = state_of(settings, embedder, QUESTIONS[:4])
    return "none" if seen.startswith("IndexMissing") else seen


def recorded(tmp_path: Path, embedder, *, first: bool, goes_on: bool) -> tuple[Disk, Path, dict[str, str]]:
    """A run over a changed corpus on a recording disk, the folder, and what the fingerprints before and after mean."""
    settings = load_settings(corpus=write_articles(tmp_path / "corpus"), index=tmp_path / "disk" / "index")
    (tmp_path / "disk").mkdir()
    if not first:
        build_index(settings, embedder)
    before = seen_of(settings, embedder)
    write_articles(settings.corpus, ADDED)
    disk = Disk(settings.index)
    with pytest.MonkeyPatch.context() as patch:
        disk.watch(patch)
        if goes_on:  # as a large corpus does
            patch.setattr(changes, "_WHOLE_UNDER", 0)
            patch.setattr(changes, "_MOST_CHANGED", 100)
        build_index(settings, embedder, base=open_index(settings, embedder) if goes_on else None)
    disk.step("the end")
    return disk, settings.index, {before: "old", seen_of(settings, embedder): "new"}


def power_lost(
    tmp_path: Path, embedder, rng: random.Random, rounds: int, *, first: bool = False, goes_on: bool = False
) -> Iterator[tuple[str, str, str]]:
    """(call, loss, what is there afterwards) of every loss at every step, each state on disk looked at once."""
    disk, index, known = recorded(tmp_path, embedder, first=first, goes_on=goes_on)
    settings = load_settings(corpus=tmp_path / "corpus", index=tmp_path / "lost" / "index")
    looked_at: dict[str, str] = {}
    for (call, state), _ in itertools.product(disk.states, range(rounds)):
        for loss, files in losses(state, index, rng):
            # Caches hold nothing that counts; every other byte does.
            key = digest([[path, data.hex()] for path, data in sorted(files.items()) if "/." not in path])
            if key not in looked_at:
                shutil.rmtree(settings.index, ignore_errors=True)
                for path, data in files.items():
                    file = Path(f"{settings.index}{path}")
                    file.parent.mkdir(parents=True, exist_ok=True)
                    file.write_bytes(data)
                seen = seen_of(settings, embedder)
                looked_at[key] = known.get(seen, f"third: {seen}")
            yield call, loss, looked_at[key]


@pytest.mark.parametrize("run", ["a further one", "the first", "one that goes on"])
def test_a_power_loss_leaves_the_old_index_or_the_new_one(tmp_path, embedder, full, seed, promise, run):
    kind = {"first": run == "the first", "goes_on": run == "one that goes on"}
    found = list(power_lost(tmp_path, embedder, random.Random(seed), 20 if full else 1, **kind))
    third = [loss for loss in found if loss[2] not in ("old", "new")]
    end = [loss for loss in found if loss[0] == "the end"]
    promise(
        "P2",
        "a power loss leaves the old index or the new one, and after the run the new one",
        run=run,
        losses=len(found),
        old=sum(loss[2] == "old" for loss in found),
        new=sum(loss[2] == "new" for loss in found),
        third_states=len(third),
        lost_after_the_end=sum(loss[2] != "new" for loss in end),
        seed=seed,
    )
    assert not third, third[:3]
    assert {loss[2] for loss in end} == {"new"}
    assert {loss[2] for loss in found} == {"old", "new"}


def test_the_recording_catches_a_publication_without_fsync(tmp_path, embedder, monkeypatch, seed):
    monkeypatch.setattr(publish, "_sync", lambda path: None)
    found = power_lost(tmp_path, embedder, random.Random(seed), 1)
    assert any(loss[2].startswith("third") for loss in found)


def test_the_recording_catches_names_that_are_not_synced(tmp_path, embedder, monkeypatch, seed):
    sync = publish._sync
    monkeypatch.setattr(publish, "_sync", lambda path: None if path.name == "index" else sync(path))
    found = power_lost(tmp_path, embedder, random.Random(seed), 1)
    assert any(loss[2].startswith("third") for loss in found)
