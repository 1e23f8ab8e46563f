"""Epochs have ESPnet's batches in ESPnet's order, from any batch on, shared among processes."""

import numpy as np
import pytest
import torch
from espnet2.iterators.sequence_iter_factory import SequenceIterFactory

from espnet_ssr.data.batch_plan import BatchPlan, plan_of_size
from espnet_ssr.data.dataset import Examples, Skipped
from espnet_ssr.train.batches import BatchIterFactory, EpochBatches

PLAN = BatchPlan(np.arange(20)[::-1], np.array([0, 3, 5, 9, 13, 14, 18, 20]))


class Rows(torch.utils.data.Dataset):
    """Examples that say which row they are of, and what was drawn; some rows are damaged."""

    def __init__(self, damaged=()):
        self._damaged = damaged

    def __getitems__(self, batch):
        np.random.seed(batch.seed)
        read = [(str(r), np.random.random()) for r in batch.rows if r not in self._damaged]
        skipped = [Skipped(str(r), "torn", "by hand") for r in batch.rows if r in self._damaged]
        return Examples(read, skipped)


def collate(examples):
    return [name for name, _ in examples], {"drawn": [value for _, value in examples]}


def build(dataset=None, plan=PLAN, **options):
    return BatchIterFactory(dataset or Rows(), plan, collate, **options)


def names(iterator):
    return [utt_ids for utt_ids, _ in iterator]


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("num_iters", [None, 1, 3, 6, 7, 8, 20])
def test_order_of_espnet(num_iters, shuffle):
    batches = [[str(row) for row in PLAN[b]] for b in range(len(PLAN))]
    options = {"num_iters_per_epoch": num_iters, "shuffle": shuffle, "seed": 3}
    expected = SequenceIterFactory({str(r): str(r) for r in range(20)}, batches, **options)
    found = build(**options)
    for epoch in range(1, 12):
        wanted = list(expected.build_iter(epoch).batch_sampler)
        iterator = found.build_iter(epoch)
        assert len(iterator) == len(wanted)
        assert names(iterator) == wanted


def test_every_epoch_goes_on_where_the_one_before_it_stopped():
    factory = build(num_iters_per_epoch=3, shuffle=True)
    seen = [utt_id for epoch in range(1, 8) for batch in names(factory.build_iter(epoch))
            for utt_id in batch]  # fmt: skip
    assert sorted(map(int, seen)) == sorted([*range(20)] * 3)  # 7 * 3 batches: 3 passes


@pytest.mark.parametrize("num_workers", [0, 1, 2])
def test_batches_after_those_that_were_trained_on(num_workers):
    factory = build(shuffle=True, num_workers=num_workers)
    whole = list(factory.build_iter(2))
    iterator = factory.build_iter(2)
    iterator.skip(4)
    assert len(iterator) == 3
    assert list(iterator) == whole[4:]
    # Whatever number of workers there is.
    assert whole == list(build(shuffle=True).build_iter(2))
    assert whole != list(build(shuffle=True, seed=1).build_iter(2))


def test_processes_share_every_batch():
    plan = plan_of_size(11, 4)
    parts = [list(build(plan=plan, rank=r, world_size=3).build_iter(1)) for r in range(3)]
    assert {len(part) for part in parts} == {len(plan)}
    for number in range(len(plan)):
        rows = [int(utt_id) for part in parts for utt_id in part[number][0]]
        assert sorted(rows) == sorted(plan[number])
        assert all(part[number][0] for part in parts)
    drawn = [part[0][1]["drawn"][0] for part in parts]
    assert len(set(drawn)) == 3


def test_spare_utterances_are_of_like_length():
    batches = list(EpochBatches(PLAN, np.arange(len(PLAN)), (0,)))
    # Rows of this plan are sorted: 19, 18, ...
    assert batches[0].rows == [19, 18, 17]
    assert batches[0].spare[:3] == [16, 15, 14]
    assert all(batch.spare for batch in batches)


def test_what_is_skipped_is_counted():
    iterator = build(Rows(damaged=(17, 4)), max_skipped=0.1).build_iter(1)
    assert sum(map(len, names(iterator))) == 18
    assert iterator.skipped.found == {"17": "torn by hand", "4": "torn by hand"}


def test_too_much_damage_ends_it():
    iterator = build(Rows(damaged=(17, 4)), max_skipped=0.05).build_iter(1)
    with pytest.raises(RuntimeError, match=r"2 of 20 utterances cannot be read, more than .*17:"):
        names(iterator)
