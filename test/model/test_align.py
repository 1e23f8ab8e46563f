"""The model that ESPnet trains hands on what the network says."""

import pytest
import torch

from espnet_ssr.align.labels import CharLabels
from espnet_ssr.align.trained import build_network
from espnet_ssr.model.align import SSRAlignModel

LABELS = CharLabels.build(["abc"], outer_delimiters=True)
BATCH = {
    "feats": torch.randn(2, 9, 3),
    "feats_lengths": torch.tensor([9, 7]),
    "label": torch.tensor([[1, 2, 3, 1], [1, 4, 1, 0]]),
    "label_lengths": torch.tensor([4, 3]),
}
STATS = {"ctc": {"loss", "blank"}, "unity2": {"loss", "forward_sum", "binarization"}}


@pytest.fixture(params=sorted(STATS))
def model(request):
    torch.manual_seed(0)
    conf = {"hidden_size": 8} | ({"num_layers": 1} if request.param == "ctc" else {})
    model = SSRAlignModel(build_network(request.param, conf, 3, LABELS))
    model.expected = STATS[request.param]
    return model


def test_what_the_trainer_is_given(model):
    loss, stats, weight = model(utt_id=["a", "b"], **BATCH)
    assert loss.requires_grad
    assert loss.isfinite()
    assert weight == 7
    assert set(stats) == model.expected
    assert all(value.shape == () and not value.requires_grad for value in stats.values())


def test_overfits(model):
    model.network.binarization_start = 10**6
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    model.eval()
    first, *_ = model(**BATCH)
    for _ in range(40):
        optimizer.zero_grad()
        loss, *_ = model(**BATCH)
        loss.backward()
        optimizer.step()
    assert loss < 0.7 * first


def test_checkpoints_hold_weights_and_buffers(model):
    names = set(model.state_dict())
    assert names == {f"network.{name}" for name in model.network.state_dict()}
    assert names & {"network.prior", "network.num_steps"}


def test_nothing_is_collected(model):
    assert model.collect_feats(**BATCH) == {}
