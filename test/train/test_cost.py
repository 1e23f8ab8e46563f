"""The cost of a training adds up over epochs; what is done again counts once."""

import json
import time

import pytest

from espnet_ssr.train.cost import COST_FILE, TrainingCost, measure_epoch, read_cost


def write_cost(folder, epochs):
    (folder / COST_FILE).write_text(json.dumps(epochs))


def cost(steps, wall, cpu):
    return {"steps": steps, "wall_seconds": wall, "cpu_seconds": cpu}


def test_cost_adds_up(tmp_path):
    write_cost(tmp_path, {"1": cost(3, 1.0, 2.0), "2": cost(3, 0.5, 0.75)})
    assert read_cost(tmp_path) == TrainingCost(6, 1.5, 2.75)


@pytest.mark.parametrize("epochs", [None, {}, {"2": cost(3, 1.0, 1.0)}])
def test_no_cost_of_a_training_that_was_not_measured_from_the_start(tmp_path, epochs):
    if epochs is not None:
        write_cost(tmp_path, epochs)
    assert read_cost(tmp_path) is None


def test_clock_and_processor_are_told_apart(tmp_path):
    with measure_epoch(tmp_path, 1, steps=7):
        time.sleep(0.1)
    found = read_cost(tmp_path)
    assert found.steps == 7
    assert 0.1 <= found.wall_seconds < 1
    assert found.cpu_seconds < found.wall_seconds


def test_an_epoch_that_is_done_again_counts_once_and_later_ones_are_forgotten(tmp_path):
    write_cost(tmp_path, {str(e): cost(100, 100.0, 100.0) for e in (1, 2, 3)})
    with measure_epoch(tmp_path, 2, steps=5):
        pass
    assert read_cost(tmp_path).steps == 105


def test_an_epoch_that_failed_leaves_no_record(tmp_path):
    with pytest.raises(RuntimeError), measure_epoch(tmp_path, 1, steps=5):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
