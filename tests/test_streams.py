"""Batches are filled across clips, order is kept, and a clip that fails takes nobody with it."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aqa_pipeline import streams
from aqa_pipeline.errors import InputError


def doubled(batches=None):
    def work(ready):
        if batches is not None:
            batches.append(len(ready))
        return [2 * value for value in ready]

    return work


@pytest.mark.parametrize("workers", [0, 3])
def test_batches_are_filled_across_clips(workers):
    batches = []
    clips = [("a", [1, 2, 3]), ("b", []), ("c", [4]), ("d", [5, 6, 7])]
    found = list(streams.through(clips, lambda item: item + 10, doubled(batches), batch=4, workers=workers))
    assert found == [("a", [22, 24, 26]), ("b", []), ("c", [28]), ("d", [30, 32, 34])]
    assert batches == [4, 3]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_clip_that_fails_takes_nobody_with_it(workers):
    def prepare(item):
        if item == 5:
            raise InputError("five")
        return item

    def broken():
        yield 7
        raise InputError("ends early")

    clips = [("a", [1, 2]), ("b", [3, 5, 4]), ("c", broken()), ("d", [9])]
    found = dict(streams.through(clips, prepare, doubled(), batch=3, workers=workers))
    assert found["a"] == [2, 4]
    assert str(found["b"]) == "five"
    assert str(found["c"]) == "ends early"
    assert found["d"] == [18]


def test_clips_come_as_soon_as_they_are_complete():
    """Only what a batch needs is drawn: a data set is never held in memory."""
    drawn = []

    def clips():
        for key in range(50):
            drawn.append(key)
            yield key, [key, key]

    first = next(streams.through(clips(), lambda item: item, doubled(), batch=4))
    assert first == (0, [0, 0])
    assert len(drawn) <= 3


def test_a_mistake_of_ours_is_not_taken_for_a_bad_clip():
    with pytest.raises(ZeroDivisionError):
        list(streams.through([("a", [0])], lambda item: 1 / item, doubled(), batch=2, workers=1))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("prepare")]


@given(
    st.lists(st.integers(0, 7), max_size=9),
    st.integers(1, 6),
    st.integers(0, 2),
    st.sets(st.integers(0, 20), max_size=3),
)
def test_every_clip_gets_its_own_results(lengths, batch, workers, bad):
    clips, count = [], 0
    for key, length in enumerate(lengths):
        clips.append((key, range(count, count + length)))
        count += length

    def prepare(item):
        if item in bad:
            raise InputError(str(item))
        return item

    found = list(streams.through(clips, prepare, doubled(), batch=batch, workers=workers))
    assert [key for key, _ in found] == list(range(len(lengths)))
    for (_, items), (_, results) in zip(clips, found, strict=True):
        if bad & set(items):
            assert isinstance(results, InputError)
        else:
            assert results == [2 * item for item in items]


@pytest.mark.parametrize("ahead", [0, 1, 5])
@pytest.mark.parametrize("batch", [1, 2, 4])
@pytest.mark.parametrize("lengths", [(), (0,), (3, 0, 1, 4), (0, 2, 0, 0), (4, 4)])
def test_clips_one_after_the_other(ahead, batch, lengths):
    def work(items):
        items = iter(items)
        while filled := [item for _, item in zip(range(batch), items, strict=False)]:
            yield from (10 * item for item in filled)

    clips = [(key, length, iter(range(length))) for key, length in enumerate(lengths)]
    found = list(streams.one_after_the_other(clips, work, ahead=ahead))
    assert found == [(key, [10 * item for item in range(length)]) for key, length in enumerate(lengths)]


def test_what_a_reading_thread_meets_is_raised():
    def torn():
        yield 1
        raise InputError("torn")

    with pytest.raises(InputError, match="torn"):
        list(streams.one_after_the_other([("a", 2, torn())], lambda items: items, ahead=4))


@pytest.mark.parametrize("workers", [0, 1, 3])
@pytest.mark.parametrize("count", [0, 1, 5, 20])
def test_mapped_in_threads_keeps_the_order(workers, count):
    assert list(streams.mapped(lambda item: item * item, range(count), workers=workers)) == [
        i * i for i in range(count)
    ]


def test_mapped_draws_only_a_few_in_advance_and_raises_what_it_meets():
    drawn = []
    items = (drawn.append(i) or i for i in range(100))
    found = streams.mapped(lambda item: 6 // (5 - item), items, workers=2)
    assert next(found) == 1
    assert len(drawn) <= 5
    with pytest.raises(ZeroDivisionError):
        list(found)


def test_batches_do_not_run_ahead():
    asked = []

    def source():
        for item in range(7):
            asked.append(item)
            yield item

    batches = streams.batches(source(), 3)
    assert next(batches) == [0, 1, 2]
    assert asked == [0, 1, 2]
    assert list(batches) == [[3, 4, 5], [6]]
