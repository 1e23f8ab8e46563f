"""CTC compression against plain loops over runs; its aligner stays as it was trained."""

from itertools import groupby

import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st

from espnet_ssr.align.labels import CharLabels
from espnet_ssr.align.trained import LABELS_FILE, build_network
from espnet_ssr.connector.ctc_compress import CTCCompressConnector
from espnet_ssr.train.checkpoint import TrainedWeightsMixin

LABELS = CharLabels.build(["ab"])
WIDTH, OUTPUT = len(LABELS), 5
CONFS = {
    "ctc": {"hidden_size": 8, "num_layers": 1, "num_heads": 2, "feedforward_size": 8},
    "unity2": {"hidden_size": 8},
}


@pytest.fixture(scope="module")
def save_aligner(tmp_path_factory):
    """A function that leaves an untrained aligner as a training does; returns its path."""

    def save(name="ctc", input_size=WIDTH):
        folder = tmp_path_factory.mktemp(name)
        network = build_network(name, CONFS[name], input_size, LABELS)
        config = {"aligner": name, "aligner_conf": CONFS[name], "input_size": input_size}
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
        LABELS.save(folder / LABELS_FILE)
        state = {f"network.{key}": value for key, value in network.state_dict().items()}
        torch.save(state, folder / "model.pth")
        return str(folder / "model.pth")

    return save


@pytest.fixture(scope="module")
def aligner(save_aligner):
    torch.manual_seed(0)
    return save_aligner()


class Echo(torch.nn.Module):
    """An aligner whose scores are the features, so that a test decides on the labels."""

    def __init__(self):
        super().__init__()
        self.register_buffer("prior", torch.ones(1))

    def scores(self, feats, lengths):
        return feats


def make_connector(aligner, keep_blanks=True, **options):
    torch.manual_seed(1)
    options = {"hidden_size": 7, "num_layers": 1} | options
    return CTCCompressConnector(WIDTH, OUTPUT, aligner, keep_blanks, **options).eval()


def plain_vectors(connector, feats, labels, keep_blanks):
    """Vectors of one utterance ``(T, D)`` without padding."""
    vectors, start = [], 0
    for label, run in groupby(labels):
        stop = start + len(list(run))
        if label or keep_blanks or not any(labels):
            mean = sum(feats[start:stop]) / (stop - start)
            vectors.append(connector.output(connector.mlp(mean)))
        start = stop
    return vectors


@pytest.mark.parametrize("keep_blanks", [True, False])
@given(
    batch=st.lists(
        st.lists(st.integers(0, WIDTH - 1), max_size=8), min_size=1, max_size=4
    ).filter(any),
    spare=st.integers(0, 3),
)  # fmt: skip
def test_equals_plain_loops(aligner, keep_blanks, batch, spare):
    connector = make_connector(aligner, keep_blanks)
    connector.aligner = Echo()
    sizes = [len(labels) for labels in batch]
    feats = torch.full((len(batch), max(sizes) + spare, WIDTH), torch.nan)
    for row, labels in zip(feats, batch, strict=True):
        row[: len(labels)] = torch.randn(len(labels), WIDTH)
        row[range(len(labels)), labels] = 5 + torch.rand(len(labels))
    output = connector(feats, torch.tensor(sizes))
    for b, labels in enumerate(batch):
        plain = plain_vectors(connector, feats[b, : len(labels)], labels, keep_blanks)
        assert output.lengths[b] == len(plain)
        for found, expected in zip(output.embeds[b], plain, strict=False):
            torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
        assert (output.embeds[b, len(plain) :] == 0).all()
    output.embeds.square().sum().backward()
    assert all(p.grad.isfinite().all() for p in connector.parameters())


@pytest.mark.parametrize("keep_blanks", [True, False])
def test_a_batch_equals_its_utterances(aligner, keep_blanks):
    connector = make_connector(aligner, keep_blanks)
    sizes = [30, 1, 0, 17]
    feats = torch.full((4, 33, WIDTH), torch.nan)
    for row, size in zip(feats, sizes, strict=True):
        row[:size] = torch.randn(size, WIDTH)
    output = connector(feats, torch.tensor(sizes))
    for b, size in enumerate(sizes):
        alone = connector(feats[b : b + 1, : max(size, 1)], torch.tensor([size]))
        assert output.lengths[b] == alone.lengths[0]
        found = output.embeds[b, : alone.lengths[0]]
        torch.testing.assert_close(found, alone.embeds[0], rtol=1e-5, atol=1e-5)
    assert output.lengths[2] == 0


def test_bfloat16_hears_the_same_runs(aligner):
    connector = make_connector(aligner)
    feats, lengths = torch.randn(3, 999, WIDTH), torch.tensor([999, 0, 500])
    with torch.autocast("cpu", torch.bfloat16):
        output = connector(feats, lengths)
    expected = connector(feats, lengths)
    assert torch.equal(output.lengths, expected.lengths)
    torch.testing.assert_close(output.embeds.float(), expected.embeds, rtol=0.05, atol=0.05)


def test_the_aligner_is_not_trained(aligner):
    connector = make_connector(aligner).train()
    assert connector.mlp.training
    assert not any(module.training for module in connector.aligner.modules())
    connector(torch.randn(2, 9, WIDTH), torch.tensor([9, 4])).embeds.sum().backward()
    assert all(p.grad is None for p in connector.aligner.parameters())
    assert all(p.grad is not None for p in connector.mlp.parameters())


class Model(TrainedWeightsMixin, torch.nn.Module):
    def __init__(self, connector):
        super().__init__()
        self.connector = connector


def test_checkpoints_are_without_the_aligner(aligner):
    model = Model(make_connector(aligner))
    with torch.no_grad():
        model.connector.output.bias.fill_(3.0)
    state = model.state_dict()
    weights = {name for name, _ in model.named_parameters()}
    assert weights & set(state) == {n for n in weights if not n.startswith("connector.aligner.")}
    again = Model(make_connector(aligner))
    again.load_state_dict(state)
    feats, lengths = torch.randn(2, 9, WIDTH), torch.tensor([9, 4])
    found, expected = (m.connector(feats, lengths).embeds for m in (again, model))
    assert torch.equal(found, expected)


def test_an_aligner_of_another_width_is_refused(save_aligner):
    path = save_aligner(input_size=WIDTH + 1)
    with pytest.raises(ValueError, match=f"model.pth: .*width {WIDTH + 1}.*have {WIDTH}:"):
        make_connector(path)


def test_an_aligner_of_another_kind_is_refused(save_aligner):
    with pytest.raises(ValueError, match=r"model\.pth: .*unity2; CTCCompressConnector needs"):
        make_connector(save_aligner("unity2"))


def test_default_size(save_aligner):
    connector = CTCCompressConnector(384, 576, save_aligner(input_size=384))
    trained = sum(p.numel() for p in connector.parameters() if p.requires_grad)
    assert trained == pytest.approx(4.7e6, rel=0.1)
