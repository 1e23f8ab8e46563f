"""Fine-tuning that was killed at any step and resumed gives the weights of one that was not."""

import pytest
from trainings import assert_same, job, run_jobs, weights, write_data

pytestmark = pytest.mark.slow

# All that is random in training: tasks, dropout, masks, moved ends and replayed text; and what is
# carried over: gradients from batch to batch (the fifth is alone), batches from epoch to epoch. The
# state is kept after the second and the fourth batch.
CONFIG = """\
connector: ssr
connector_conf: {hidden_size: 8, num_layers: 1, num_heads: 2, feedforward_size: 8}
finetune: lora
lora_conf: {rank: 2, dropout: 0.2}
tasks: {continue: 1, transcribe: 2}
model_conf: {losses: {cross_entropy: 0.5, kl: 1}, replay_losses: {kl: 1}}
specaug_conf: {apply_time_mask: true, time_mask_width_range: [0, 3]}
jitter: 0.02
optim: adamw
optim_conf: {lr: 0.01}
scheduler: warmuplr
scheduler_conf: {warmup_steps: 5}
accum_grad: 2
checkpoint_interval: 1
batch_type: unsorted
batch_size: 1
num_iters_per_epoch: 5
max_epoch: 3
num_workers: 0
num_att_plot: 0
use_matplotlib: false
use_tensorboard: false
best_model_criterion:
- [valid, loss, min]
keep_nbest_models: 2
val_scheduler_criterion: [valid, loss]
"""
BATCHES = 5 + 2  # of an epoch: of training, of validation
WRITES = 4  # of an epoch: midepoch.pth twice, checkpoint.pth, that of the epoch
MOMENTS = {
    "before anything was kept": ("batch", 2),
    "in the middle of epoch 1": ("batch", 4),
    "between the batches of a step, in epoch 2": ("batch", BATCHES + 2),
    "in the validation of epoch 2": ("batch", 2 * BATCHES),
    "in epoch 3": ("batch", 2 * BATCHES + 4),
    "in the writing of the first midepoch.pth": ("write", 1),
    "in the writing of another midepoch.pth": ("write", WRITES + 2),
    "between checkpoint.pth and 2epoch.pth": ("write", 2 * WRITES),
}


@pytest.fixture(scope="module")
def trainings(causal_lm, tmp_path_factory):
    """Folder with a training that was never interrupted, and one for each moment of death."""
    folder = tmp_path_factory.mktemp("trainings")
    (folder / "replay.txt").write_text("It was a dark night.\nThe rain fell.\n" * 9)
    (folder / "config.yaml").write_text(CONFIG)
    options = [
        *write_data(folder, 256), "--llm", causal_lm, "--config", str(folder / "config.yaml"),
        "--replay_conf", f"file={folder / 'replay.txt'}", "--replay_conf", "length=8",
    ]  # fmt: skip
    killed = [job("lm", options, folder / name, kill) for name, kill in MOMENTS.items()]
    # With another number of workers.
    resumed = [job("lm", [*options, "--num_workers", "2"], folder / name) for name in MOMENTS]
    jobs = [job("lm", options, folder / "uninterrupted"), *killed, *resumed]
    run_jobs([[training] for training in jobs])
    return folder


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_and_resumed_is_as_if_nothing_had_happened(trainings, moment):
    expected = weights(trainings / "uninterrupted")
    assert {"3epoch.pth", "valid.loss.ave.pth"} <= expected.keys()
    parts = {name.split(".")[0] for name in expected["3epoch.pth"]}
    assert parts == {"connector", "llm"}
    assert_same(weights(trainings / moment), expected)
    assert not list((trainings / moment).glob(".*"))
    assert not (trainings / moment / "midepoch.pth").exists()
