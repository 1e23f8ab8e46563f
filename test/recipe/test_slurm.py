"""A recipe on a real Slurm: arrays, a killed task, training on two nodes."""

import contextlib
import os
import signal
from collections import Counter
from pathlib import Path

import pytest
import slurm_cluster
import yaml
from mini_recipe import MODEL, WEIGHTS, load_weights

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(slurm_cluster.why_not()), reason=str(slurm_cluster.why_not())),
]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A cluster, and commands that find it and are told to use it."""
    cluster = slurm_cluster.SlurmCluster(tmp_path_factory.mktemp("slurm"))
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name, value in {**cluster.environment, "SSR_CMD_BACKEND": "slurm"}.items():
            monkeypatch.setenv(name, value)
        yield cluster
    cluster.stop()


@pytest.fixture(scope="module")
def killed(cluster, recipe):
    """A recipe after all stages, during which the second alignment task of the training set was
    killed, and what was printed."""
    mine = recipe.clone()
    run = mine.start()

    def running():
        wanted = ("ssr_align", 2, "RUNNING")
        return [array for name, array, *task in cluster.tasks() if (name, *task) == wanted]

    run.wait_for(running)
    cluster.run("scancel", f"{running()[0]}_2")
    return mine, run.wait(900).must_succeed()


def test_all_stages(killed, cluster):
    recipe, output = killed
    assert (recipe / "exp/RESULTS.md").is_file()
    assert not [line for line in output.splitlines() if "sbatch" in line]
    sizes = Counter(array for _, array, *_ in cluster.tasks())
    arrays = {(name, array) for name, array, *_ in cluster.tasks()}
    found = Counter((name, sizes[array]) for name, array in arrays)
    # One array a set and stage, and one for the task that was killed.
    assert {name: found[name, 2] for name in ("ssr_format", "ssr_align", "ssr_feats")} == {
        "ssr_format": 3,
        "ssr_align": 3,
        "ssr_feats": 3,
    }
    assert {name: size for name, size in found if size == 1 and name.startswith("ssr_align")} == {
        "ssr_align": 1
    }


def test_only_the_killed_task_is_submitted_again(killed, cluster):
    recipe, output = killed
    logs = recipe / "dump/train/align_hmm/logs"
    assert output.count("once more") == 1
    assert "slurm.py: 1 of 2 jobs failed (2), see" in output
    assert "CANCELLED" in (logs / "align.2.log.1").read_text()
    assert not (logs / "align.1.log.1").exists()
    align = [task for name, *task in cluster.tasks() if name == "ssr_align"]
    assert Counter(state for *_, state in align) == {"CANCELLED": 1, "COMPLETED": 6}
    assert [number for _, number, state in align if state == "CANCELLED"] == [2]


def test_nothing_is_left(killed):
    recipe, _ = killed
    assert not [path for path in recipe.folder.rglob(".slurm.*")]
    assert not [path for path in recipe.folder.rglob(".progress.*")]
    assert not recipe.processes()


def test_two_nodes(killed, cluster):
    """Through ESPnet's launcher, srun and gloo. A process is killed: both are started again and go
    on where they were."""
    recipe, _ = killed
    folder = recipe / "exp/distill_mini_two"
    options = ("--stage", "8", "--stop_stage", "8", "--num_nodes", "2", "--distill_tag", "two")
    run = recipe.start(*options, "--distill_args", "--max_epoch 5")
    run.wait_for((folder / "checkpoint.pth").is_file, seconds=300)
    os.kill(min(pid for pid in recipe.processes() if is_rank(pid, 1)), signal.SIGKILL)
    output = run.wait(600).must_succeed()
    assert "slurm.py: 1 of 1 jobs failed (1)" in output
    first, again = ((folder / name).read_text() for name in ("train.log.1", "train.log"))
    # Both processes start, and the first one writes.
    assert first.count("1/5epoch started") == 2
    assert first.count("Saving the configuration") == again.count("Saving the configuration") == 1
    assert again.count("5/5epoch started") == 2
    assert "1/5epoch started" not in again
    config = yaml.safe_load((folder / "config.yaml").read_text())
    assert (config["distributed"], config["dist_launcher"]) == (True, "slurm")
    assert load_weights(folder / WEIGHTS).keys() == (
        load_weights(recipe / f"exp/{MODEL}/{WEIGHTS}").keys()
    )


def is_rank(pid, rank):
    """Whether a process is srun's of this number (it has the lowest pid) or started by that."""
    with contextlib.suppress(OSError):  # it has just ended
        variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        return b"SLURM_PROCID=%d" % rank in variables
    return False
