"""scripts/train.sh: a training is done again if a checkpoint that it starts from is another."""

import os
import subprocess

import pytest
from mini_recipe import REPO, TEMPLATE

SCRIPT = """\
set -euo pipefail
for name in stage train; do . "$0/$name.sh"; done
run() { shift 3; echo "ran $*"; }
stage="" current_stage=9 ngpu=0 num_nodes=1 python=true cuda_cmd=run
data_inputs=(llm=some --files token_id) training_options=()
train_model exp/model ssr_lm_train conf.yaml "$1"
"""
ALIGNER = "exp/align/valid.loss.ave.pth"
ENVIRONMENT = os.environ | {"PATH": f"{REPO / 'utils'}:{os.environ['PATH']}"}


def run_bash(script, *arguments, cwd=None):
    """What a script prints, whose ``$0`` is the folder of scripts."""
    command = ["bash", "-c", script, TEMPLATE / "scripts", *arguments]
    result = subprocess.run(
        command, cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    return result.stdout + result.stderr


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"connector_conf:\n    aligner: {ALIGNER} # of the same\n", [ALIGNER]),
        (f"init_param:\n- '{ALIGNER}:connector:connector'\n- other.pth\n", [ALIGNER, "other.pth"]),
        (f'init_param: ["{ALIGNER}:a:b", exp/text]\n', [ALIGNER]),
        (f"--connector_conf aligner={ALIGNER}", [ALIGNER]),
        (f"--connector_conf {{aligner:{ALIGNER},hidden_size:3}}", [ALIGNER]),
        (f"--init_param {ALIGNER}:connector --seed 1 --distilled {ALIGNER}", [ALIGNER]),
        ("keep_nbest_models: 2 # averaged into valid.loss.ave.pth\n# see exp/other.pth\n", []),
        ("--distilled exp/distill_lr=0.1/a.pth", ["exp/distill_lr=0.1/a.pth"]),
        ("", []),
    ],
)
def test_checkpoints_that_are_named(text, expected):
    script = 'set -euo pipefail; . "$0/train.sh"; checkpoints_in "$1" ""'
    assert run_bash(script, text).splitlines() == expected


@pytest.fixture
def train(tmp_path):
    """A function from a configuration and options to what a training that does nothing prints."""
    (tmp_path / "exp/align").mkdir(parents=True)
    (tmp_path / ALIGNER).write_text("first")
    (tmp_path / "token_id").write_text("a 1\n")

    def train(options=f"--distilled {ALIGNER}", config="seed: 0\n"):
        (tmp_path / "conf.yaml").write_text(config)
        return run_bash(SCRIPT, options, cwd=tmp_path)

    return train


def test_of_another_checkpoint(train, tmp_path):
    config = f"init_param: [{ALIGNER}]\n"
    assert "ran true -m espnet_ssr.bin.ssr_lm_train" in train("", config)
    assert "exp/model: nothing to do" in train("", config)
    (tmp_path / ALIGNER).write_text("trained again")
    output = train("", config)
    assert f"{ALIGNER} changed" in output
    assert "ran true" in output


def test_without_its_checkpoint(train, tmp_path):
    train()
    (tmp_path / "exp/model/1epoch.pth").touch()
    (tmp_path / ALIGNER).unlink()
    assert f"error: no {ALIGNER}: run the stages before this one" in train()
    assert (tmp_path / "exp/model/1epoch.pth").is_file()


def test_interrupted(train, tmp_path):
    """It goes on with the same checkpoint, and begins anew with another."""
    train()
    (tmp_path / "exp/model/.done").unlink()
    (tmp_path / "exp/model/checkpoint.pth").touch()
    train()
    assert (tmp_path / "exp/model/checkpoint.pth").is_file()
    (tmp_path / "exp/model/.done").unlink()
    (tmp_path / ALIGNER).write_text("trained again")
    train()
    assert not (tmp_path / "exp/model/checkpoint.pth").is_file()
