"""What was skipped is logged by cause, kept in a file, and added up over epochs."""

import logging

import pytest

from espnet_ssr.data.dataset import Skipped
from espnet_ssr.datadir import read_keyed
from espnet_ssr.train.skipped import SkipCounter


def count(*skipped, planned=100, max_fraction=0.05):
    counter = SkipCounter(planned, max_fraction)
    counter.add([Skipped(utt_id, cause, "line one\nline two") for utt_id, cause in skipped])
    return counter


def test_nothing_skipped_says_nothing(tmp_path, caplog):
    count().report(tmp_path, "epoch 1")
    assert not caplog.records
    assert not list(tmp_path.iterdir())


def test_skipped_utterances_are_logged_and_kept(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        count(("b", "torn"), ("a", "torn"), ("c", "late")).report(tmp_path, "epoch 1: skipped")
    assert "epoch 1: skipped: 3 of 100; dropped: 1 late (c), 2 torn (b, a)" in caplog.text
    count(("d", "torn"), ("a", "late")).report(tmp_path, "epoch 2: skipped")
    assert [*read_keyed(tmp_path / "skipped")] == ["a", "b", "c", "d"]
    assert read_keyed(tmp_path / "skipped")["a"] == "late line one line two"


def test_too_many_end_the_training():
    count(*[(str(i), "torn") for i in range(5)])
    with pytest.raises(RuntimeError, match=r"6 of 100 .*--max_skipped 0.05.* 6 torn \(0, 1, 2, "):
        count(*[(str(i), "torn") for i in range(6)])


def test_an_utterance_counts_once():
    count(*[("a", "torn")] * 9)


def test_one_of_a_few_is_too_many():
    with pytest.raises(RuntimeError, match="1 of 6 .*the first is a: torn line one line two"):
        count(("a", "torn"), planned=6, max_fraction=0.01)
