"""Estimates of time: an interval that grows with the bytes and shrinks with the threads."""

from lineal.planning.time import stream_seconds


def test_more_bytes_take_longer_and_more_threads_less() -> None:
    least, most = stream_seconds(10**9, 10**8, 2)
    assert 1 < least < most
    assert stream_seconds(2 * 10**9, 10**8, 2) > (least, most)
    assert stream_seconds(10**9, 10**8, 4) < (least, most)


def test_nothing_to_read_takes_the_start_of_a_process() -> None:
    assert stream_seconds(0, 0, 2) == (1.0, 2.5)
