"""What holds for every connector: shapes, padding, gradients, the untrained start."""

import pytest
import torch

from espnet_ssr.connector import CONNECTORS, MeanConnector, SSRConnector
from espnet_ssr.tensors import length_mask

WIDTH, OUTPUT = 6, 10
# One frame or many a segment, one token or many an utterance.
SEGMENTS = ([2, 1, 7, 3], [5], [1, 1], [1])
SMALL = {"hidden_size": 16, "num_layers": 2}
VARIANTS = {
    "ssr-block": lambda: SSRConnector(WIDTH, OUTPUT, "block", num_heads=2, **SMALL),
    "ssr-causal": lambda: SSRConnector(WIDTH, OUTPUT, "causal", num_heads=2, **SMALL),
    "mean": lambda: MeanConnector(WIDTH, OUTPUT, **SMALL),
}


@pytest.fixture(params=VARIANTS)
def connector(request):
    torch.manual_seed(0)
    return VARIANTS[request.param]().eval()


def make_batch(padding_frames=2, filler=0.0, end_filler=0):
    """The batch of SEGMENTS; ``filler`` after the end of the features and ``end_filler`` after
    that of the tokens."""
    generator = torch.Generator().manual_seed(1)
    lengths = torch.tensor([sum(sizes) + 1 for sizes in SEGMENTS])
    size = int(lengths.max())
    feats = torch.randn(len(SEGMENTS), size, WIDTH, generator=generator)
    feats = torch.nn.functional.pad(feats, (0, 0, 0, padding_frames))
    feats[~length_mask(lengths, size + padding_frames)] = filler
    token_end = torch.nn.utils.rnn.pad_sequence(
        [torch.tensor(sizes).cumsum(0) - 1 for sizes in SEGMENTS],
        batch_first=True,
        padding_value=end_filler,
    )
    return feats, lengths, token_end, torch.tensor([len(sizes) for sizes in SEGMENTS])


def test_every_connector_is_tested_here():
    assert {type(make()) for make in VARIANTS.values()} == set(CONNECTORS.values())


def test_shape_and_padding_of_the_output(connector):
    output = connector(*make_batch())
    lengths = torch.tensor([len(sizes) for sizes in SEGMENTS])
    assert output.embeds.shape == (len(SEGMENTS), max(map(len, SEGMENTS)), OUTPUT)
    assert connector.output_size() == OUTPUT
    assert torch.equal(output.lengths, lengths)
    mask = length_mask(lengths, output.embeds.size(1))
    assert not output.embeds[~mask].any()
    assert output.embeds[mask].any(dim=-1).all()


def test_an_utterance_does_not_see_its_batch(connector):
    feats, feats_lengths, token_end, token_lengths = make_batch()
    batched = connector(feats, feats_lengths, token_end, token_lengths).embeds
    for b, (n, m) in enumerate(zip(feats_lengths, token_lengths, strict=True)):
        one = slice(b, b + 1)
        single = connector(
            feats[one, :n], feats_lengths[one], token_end[one, :m], token_lengths[one]
        )
        torch.testing.assert_close(batched[b, :m], single.embeds[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "padding",
    [
        pytest.param({"padding_frames": 9}, id="more frames"),
        pytest.param({"filler": 1e4}, id="garbage frames"),
        pytest.param({"end_filler": 10**9}, id="garbage ends"),
        pytest.param({"end_filler": -7}, id="negative ends"),
    ],
)
def test_padding_does_not_matter(connector, padding):
    plain = connector(*make_batch()).embeds
    torch.testing.assert_close(connector(*make_batch(**padding)).embeds, plain)


@pytest.mark.parametrize("variant", ["ssr-block", "mean"])
def test_not_even_nan_in_the_padding_is_seen(variant):
    """Causal attention weighs what it must not see with zero, so there NaN stays NaN."""
    connector = VARIANTS[variant]().eval()
    plain = connector(*make_batch()).embeds
    torch.testing.assert_close(connector(*make_batch(filler=torch.nan)).embeds, plain)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_training_gives_finite_gradients_everywhere(connector, dtype):
    connector.train()
    feats, *rest = make_batch()
    feats.requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype is torch.bfloat16):
        embeds = connector(feats, *rest).embeds
        loss = (embeds.float() - 1).square().sum()
    assert loss.isfinite()
    loss.backward()
    for name, parameter in connector.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.dtype == torch.float32
    assert feats.grad.isfinite().all()
    assert feats.grad.any()


def test_autocast_is_close_to_full_precision(connector):
    plain = connector(*make_batch()).embeds
    with torch.autocast("cpu", torch.bfloat16):
        rounded = connector(*make_batch()).embeds
    torch.testing.assert_close(rounded.float(), plain, rtol=0.05, atol=0.05)


def test_start_at_shrinks_the_output_around_the_vector(connector):
    mask = length_mask(*make_batch()[3:], max(map(len, SEGMENTS)))
    vector, deviation = torch.linspace(-3, 3, OUTPUT), torch.tensor(0.02)
    around_bias = connector(*make_batch()).embeds[mask] - connector.output.bias.detach()
    connector.start_at(vector, deviation)
    around_vector = connector(*make_batch()).embeds[mask] - vector
    shrunk = 0.5 * 3**0.5 * deviation * around_bias
    torch.testing.assert_close(around_vector, shrunk, rtol=1e-4, atol=1e-6)
    assert all(p.requires_grad for p in connector.parameters())
