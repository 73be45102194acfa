"""Clips of unequal length through one network in full batches.

A clip of 90 frames would leave a batch of 64 half empty; here the next clip's frames fill it up. Frames are read, and
cut, by threads while the network works on the batch before, or in turn where there are none.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from aqa_pipeline.errors import InputError

Item = TypeVar("Item")
Ready = TypeVar("Ready")


@dataclass
class _Clip:
    """A clip on its way: results so far, and how many it will have when that is known."""

    key: Hashable
    results: list[Any] = field(default_factory=list)
    expected: int | None = None
    error: InputError | None = None

    @property
    def is_done(self) -> bool:
        return self.error is not None or len(self.results) == self.expected


def through(
    clips: Iterable[tuple[Hashable, Iterable[Item]]],
    prepare: Callable[[Item], Ready],
    work: Callable[[list[Ready]], Sequence[Any]],
    *,
    batch: int,
    workers: int = 0,
) -> Iterator[tuple[Any, list[Any] | InputError]]:
    """Key and results of every clip, in order, each as soon as it is complete.

    Parameters
    ----------
    clips : keys with their items, for instance frame numbers
    prepare : makes an item ready, for instance reads a frame and cuts crops from it; called from the worker threads
    work : results of a list of at most `batch` ready items, one each
    workers : threads that prepare; 0 prepares in turn

    An InputError of a clip's items or of `prepare` takes the place of that clip's results; the others go on.
    """
    underway: deque[_Clip] = deque()
    with _preparing(prepare, workers) as submit:
        for filled in batches(_ahead(_submitted(clips, submit, underway), 2 * batch if workers else 0), batch):
            ready = [(clip, item) for clip, item in (_collect(clip, item) for clip, item in filled) if clip is not None]
            if ready:
                for (clip, _), result in zip(ready, work([item for _, item in ready]), strict=True):
                    clip.results.append(result)
            while underway and underway[0].is_done:
                yield _finished(underway.popleft())
    while underway:
        yield _finished(underway.popleft())


def one_after_the_other(
    clips: Iterable[tuple[Hashable, int, Iterable[Item]]],
    work: Callable[[Iterable[Item]], Iterable[Any]],
    *,
    ahead: int = 0,
) -> Iterator[tuple[Any, list[Any]]]:
    """Key and results of clips `(key, length, items)` whose items run through `work` as if they were one long clip.

    `work` takes items and gives a result for each, in order, in batches of its own. `ahead`: a thread reads so many
    items in advance while `work` is busy.
    """
    lengths: deque[tuple[Hashable, int]] = deque()

    def items() -> Iterator[Item]:
        for key, length, own in clips:
            lengths.append((key, length))
            yield from own

    results = iter(work(_in_background(items(), ahead) if ahead else items()))
    gathered: list[Any] = []
    for result in results:
        while lengths[0][1] == 0:
            yield lengths.popleft()[0], []
        gathered.append(result)
        if len(gathered) == lengths[0][1]:
            yield lengths.popleft()[0], gathered
            gathered = []
    yield from ((key, []) for key, _ in lengths)


def mapped(work: Callable[[Item], Ready], items: Iterable[Item], *, workers: int) -> Iterator[Ready]:
    """`map` in so many threads, in order, with no more than twice as many items drawn in advance; 1 is plain `map`."""
    if workers <= 1:
        yield from map(work, items)
        return
    items = iter(items)
    with ThreadPoolExecutor(workers, thread_name_prefix="work") as pool:
        waiting = deque(pool.submit(work, item) for item in itertools.islice(items, 2 * workers))
        while waiting:
            result = waiting.popleft().result()
            waiting.extend(pool.submit(work, item) for item in itertools.islice(items, 1))
            yield result


def batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Lists of `size` items, the last one shorter; no more than one list is held at a time."""
    items = iter(items)
    while batch := list(itertools.islice(items, size)):
        yield batch


def _in_background(items: Iterator[Item], ahead: int) -> Iterator[Item]:
    """The same items, `ahead` of them read in advance by a thread; what it meets is raised here."""
    with ThreadPoolExecutor(1, thread_name_prefix="read") as pool:
        end = object()
        waiting = deque(pool.submit(next, items, end) for _ in range(ahead))
        while (item := waiting.popleft().result()) is not end:
            waiting.append(pool.submit(next, items, end))
            yield item


def _finished(clip: _Clip) -> tuple[Hashable, list[Any] | InputError]:
    return clip.key, clip.results if clip.error is None else clip.error


class _preparing:  # noqa: N801 - used like a function
    """A way to submit an item for preparation, in threads or, with no worker, when it is asked for."""

    def __init__(self, prepare: Callable[[Item], Ready], workers: int) -> None:
        self._prepare = prepare
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="prepare") if workers else None

    def __enter__(self) -> Callable[[Item], Callable[[], Ready]]:
        return self._submit

    def _submit(self, item: Item) -> Callable[[], Ready]:
        if self._pool is None:
            return lambda: self._prepare(item)
        future: Future[Ready] = self._pool.submit(self._prepare, item)
        return future.result

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)


def _submitted(clips, submit, underway: deque[_Clip]) -> Iterator[tuple[_Clip, Callable[[], Ready]]]:
    """Every item of every clip, handed to preparation in order; clips join `underway` as they begin."""
    for key, items in clips:
        clip = _Clip(key)
        underway.append(clip)
        count = 0
        try:
            for item in items:
                yield clip, submit(item)
                count += 1
        except InputError as error:
            clip.error = error
        clip.expected = count


def _collect(clip: _Clip, ready: Callable[[], Ready]) -> tuple[_Clip | None, Ready | None]:
    """The prepared item; none where its clip has failed, now or before."""
    if clip.error is not None:
        return None, None
    try:
        return clip, ready()
    except InputError as error:
        clip.error = error
        return None, None


def _ahead(items: Iterator[Item], count: int) -> Iterator[Item]:
    """The same items, drawn `count` in advance."""
    drawn = deque(itertools.islice(items, count))
    for item in items:
        drawn.append(item)
        yield drawn.popleft()
    yield from drawn
