"""P1: kill -9 at any moment of an index run leaves the old index or the new one, and the next run needs no repair."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from index_runs import Scene, at_once, injected, scenes, strace_works

pytestmark = pytest.mark.slow

needs_strace = pytest.mark.skipif(not strace_works(), reason="strace is missing or may not trace here")
SYNCS = ("fsync", "fdatasync", "rename", "renameat", "renameat2")
OTHERS = ("write", "openat", "unlink", "unlinkat", "pwrite64")


def killed_at(scene: Scene, point: tuple, variant: str = "") -> str:
    """What is left of a run that was killed right after its n-th call, or after so many seconds."""
    name, number, first = point
    work = scene.begin(first=first)
    if name == "time":
        scene.index(work, variant=variant, kill_after=number)
    else:
        run = scene.index(work, variant=variant, strace=injected(name, number, "signal=SIGKILL"))
        if run.code != -9:
            return f"not killed: {run}"
    return scene.after(work)


def points_of(names: tuple[str, ...], *, first: bool = False, variant: str = "") -> list[tuple]:
    scene = scenes()[0]
    calls = scene.calls(",".join(names), scene.begin(first=first), scene.index, variant=variant)
    return [(name, number, first) for name, numbers in calls.items() for number in numbers]


@needs_strace
def test_a_killed_run_leaves_the_old_index_or_the_new_one(full, seed, promise):
    rng = random.Random(seed)
    syncs = points_of(SYNCS)
    others = points_of(OTHERS)
    begun = points_of(SYNCS, first=True)  # the first index of all
    if not full:
        others, begun = rng.sample(others, 25), rng.sample(begun, 8)
    moments = [("time", rng.uniform(0, 1.2 * scenes()[0].seconds), False) for _ in range(1000 if full else 25)]
    points = [*syncs, *others, *moments, *begun]
    found = at_once(points, killed_at)
    seen = Counter(found)
    third = [(point, state) for point, state in zip(points, found, strict=True) if state not in ("old", "new", "none")]
    third += [(point, state) for point, state in zip(points, found, strict=True) if state == "none" and not point[2]]
    promise(
        "P1",
        "kill -9 leaves the old index or the new one, and the next run needs no repair",
        kills=len(points),
        of_them_fsync_and_rename=len(syncs) + len(begun),
        random_moments=len(moments),
        old=seen["old"] + seen["none"],
        new=seen["new"],
        third_states=len(third),
        seed=seed,
    )
    assert third == []
    assert seen["old"] > 20
    assert seen["new"] > 0  # the kills reach past the publication


@needs_strace
def test_a_killed_run_that_goes_on_from_the_old_index_leaves_that_or_the_new_one():
    points = points_of((*SYNCS, "link", "linkat"), variant="go_on")
    assert "link" in {name for name, *_ in points} or "linkat" in {name for name, *_ in points}
    found = at_once(points, lambda scene, point: killed_at(scene, point, "go_on"))
    assert set(found) == {"old", "new"}, Counter(found)


@needs_strace
@pytest.mark.parametrize(("variant", "call"), [("write_in_place", "openat"), ("publish_early", "rename")])
def test_the_harness_catches_a_publication_that_is_not_atomic(variant, call):
    points = points_of((call,), variant=variant)[-6:]
    found = at_once(points, lambda scene, point: killed_at(scene, point, variant))
    assert [state for state in found if state.startswith("third")], found


def test_a_kill_at_any_moment_needs_no_strace(seed):
    rng = random.Random(seed)
    points = [("time", rng.uniform(0, scenes()[0].seconds), False) for _ in range(4)]
    assert set(at_once(points, killed_at)) <= {"old", "new"}
