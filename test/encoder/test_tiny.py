"""The random encoder of the tests: frames, padding, reproducibility."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from espnet_ssr.encoder import TinyEncoder


@given(sizes=st.lists(st.integers(1, 2000), min_size=1, max_size=5))
def test_batch_equals_single_utterances(sizes):
    encoder = TinyEncoder(4)
    audio = [torch.rand(n) - 0.5 for n in sizes]
    speech = torch.nn.utils.rnn.pad_sequence(audio, batch_first=True)
    feats, lengths = encoder(speech, torch.tensor(sizes))
    assert lengths.tolist() == [-(-n // 320) for n in sizes]
    assert feats.shape == (len(sizes), max(lengths), encoder.output_size())
    for x, row, n in zip(audio, feats, lengths.tolist(), strict=True):
        single, _ = encoder(x[None], torch.tensor([len(x)]))
        torch.testing.assert_close(row[:n], single[0])
        assert not row[n:].any()


def test_a_frame_is_the_projection_of_its_20_ms():
    encoder = TinyEncoder(4)
    speech = torch.rand(1, 3 * 320)
    feats, _ = encoder(speech, torch.tensor([960]))
    assert encoder.frame_rate * 320 == encoder.sample_rate
    torch.testing.assert_close(feats[0, 1], torch.tanh(speech[0, 320:640] @ encoder.projection))


@pytest.mark.parametrize("seed", [0, 3])
def test_the_seed_decides(seed):
    torch.manual_seed(99)
    same, other = TinyEncoder(4, seed), TinyEncoder(4, seed + 1)
    assert torch.equal(TinyEncoder(4, seed).projection, same.projection)
    assert not torch.allclose(same.projection, other.projection)
    assert not list(same.parameters())
