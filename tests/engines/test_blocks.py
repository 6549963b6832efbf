"""Packing, and what a training reads."""

import numpy as np
import pytest

from lineal.engines.text.packing import Blocks, pack, plan_course
from lineal.errors import MethodError, StorageError
from lineal.methods.finetune.full import FullFineTune

END = 9


def tokens(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


def blocks(count: int, sequence_length: int = 4) -> Blocks:
    return Blocks(np.arange(count, dtype=np.int32), sequence_length)


def read(method: FullFineTune, data: Blocks) -> list[list[int]]:
    course = plan_course(method, data)
    return [course[i].tolist() for i in range(len(course))]


def test_documents_are_joined_with_one_end_each_and_cut_into_blocks():
    packed = pack([tokens(1, 2, 3), tokens(4, END), tokens(), tokens(5)], END, 4)
    assert [packed[i].tolist() for i in range(len(packed))] == [[1, 2, 3, END], [4, END, END, 5], [END]]


def test_data_of_less_than_two_tokens_is_refused():
    with pytest.raises(StorageError, match="at least 2"):
        pack([tokens()], END, 4)


def test_every_epoch_reads_every_block_once_in_an_order_of_its_own():
    data = blocks(4 * 50 - 1)
    course = read(FullFineTune(epochs=2, sequence_length=4), data)
    whole = [data[i].tolist() for i in range(50)]
    assert sorted(course[:50]) == sorted(course[50:]) == whole
    assert course[:50] != course[50:] != whole


def test_the_order_follows_the_seed_and_nothing_else():
    first = read(FullFineTune(seed=1, sequence_length=4), blocks(400))
    assert first == read(FullFineTune(seed=1, sequence_length=4, batch_size=3, learning_rate=0.5), blocks(400))
    assert first != read(FullFineTune(seed=2, sequence_length=4), blocks(400))


@pytest.mark.parametrize(("budget", "epochs", "length"), [(1, 1, 1), (9, 1, 3), (10, 1, 3), (11, 2, 3), (31, 4, 8)])
def test_a_budget_records_how_often_the_data_is_begun(budget, epochs, length):
    course = plan_course(FullFineTune(tokens=budget, sequence_length=4), blocks(10))
    assert (course.epochs, len(course)) == (epochs, length)


@pytest.mark.parametrize("budget", [1, 4, 5, 9, 10, 13, 40, 41])
def test_the_tokens_read_are_counted_with_short_blocks_as_they_are(budget):
    method = FullFineTune(tokens=budget, sequence_length=4)
    assert plan_course(method, blocks(10)).tokens == sum(map(len, read(method, blocks(10))))


def test_a_replayed_record_may_hold_both_the_budget_and_the_epochs_that_it_makes():
    assert plan_course(FullFineTune(tokens=31, epochs=4, sequence_length=4), blocks(10)).epochs == 4
    with pytest.raises(MethodError, match="contradict"):
        plan_course(FullFineTune(tokens=31, epochs=3, sequence_length=4), blocks(10))
