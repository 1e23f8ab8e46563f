"""CPU time by duration of audio, and sums of what is known."""

import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile

from espnet_ssr.evaluate.choice.cost import Cost, add_costs, cpu_seconds, share_cost

BUSY = "import time\nwhile time.process_time() < 0.1: pass"


def test_files_share_what_they_cost_together_by_duration(tmp_path):
    files = []
    for seconds in (1.0, 3.0):
        files.append(str(tmp_path / f"{seconds}.wav"))
        soundfile.write(files[-1], np.zeros(int(8000 * seconds)), 8000)
    assert share_cost(2.0, files) == [Cost(0.5, 1.0), Cost(1.5, 3.0)]
    assert share_cost(2.0, []) == []
    assert add_costs(share_cost(2.0, files)).real_time_factor == pytest.approx(0.5)


def test_unknown_costs_are_left_out_of_a_sum():
    assert add_costs([None, Cost(1.0, 2.0), None, Cost(2.0, 2.0)]) == Cost(3.0, 4.0)
    assert add_costs([None]) is None
    assert add_costs([]) is None


def test_time_of_programs_counts_and_time_asleep_does_not():
    before = cpu_seconds()
    time.sleep(0.2)
    assert cpu_seconds() - before < 0.1
    subprocess.run([sys.executable, "-S", "-c", BUSY], check=True)
    assert cpu_seconds() - before >= 0.1
