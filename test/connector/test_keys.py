"""Keys against a plain loop over tokens and symbols, and what they must not depend on."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import gelu, normalize

from espnet_ssr.connector.keys import (
    MOST_SYMBOLS,
    ComputedKeys,
    KeyNetwork,
    StoredKeys,
    TokenSymbols,
)

SPELLED = {3: " the", 4: " The", 7: "a", 9: " cat's", 20: "x" * (MOST_SYMBOLS + 9), 21: "ing"}


def make_network(spelled=SPELLED):
    torch.manual_seed(0)
    return KeyNetwork(TokenSymbols.build(spelled), key_size=5, symbol_size=4, channels=6)


def plain_convolution(layer, x):
    """Zeros around; ``x``: ``(L, C)``."""
    reach = layer.width // 2
    zeros = x.new_zeros(reach, x.size(1))
    padded = torch.cat([zeros, x, zeros])
    windows = [padded[n : n + layer.width].flatten() for n in range(len(x))]
    return torch.stack(windows) @ layer.weight.T + layer.bias


def plain_key(network, tokens, place):
    start = int(tokens.lengths[:place].sum())
    symbols = tokens.symbols[start : start + int(tokens.lengths[place])]
    position = torch.arange(len(symbols))
    x = network.symbol.weight[symbols // 2] + network.case.weight[symbols % 2]
    x = x + network.from_start.weight[position] + network.from_end.weight[position.flip(0)]
    x = gelu(plain_convolution(network.wide, x))
    x = x + gelu(plain_convolution(network.narrow, x))
    return network.output(network.norm(torch.cat([x.mean(0), x.amax(0)])))


@given(st.lists(st.integers(0, len(SPELLED) - 1), min_size=1, max_size=9))
def test_keys_are_a_plain_loop_whatever_else_is_asked_for(places):
    network, tokens = make_network(), TokenSymbols.build(SPELLED)
    keys, biases = network(torch.tensor(places))
    expected = torch.stack([plain_key(network, tokens, place) for place in places])
    torch.testing.assert_close(torch.cat([keys, biases], 1), expected, rtol=1e-4, atol=1e-5)


def test_gradients_are_those_of_the_plain_loop():
    network, tokens = make_network(), TokenSymbols.build(SPELLED)
    torch.cat(network(torch.arange(len(SPELLED))), 1).square().sum().backward()
    found = {name: p.grad.clone() for name, p in network.named_parameters()}
    network.zero_grad()
    rows = [plain_key(network, tokens, place) for place in range(len(SPELLED))]
    torch.stack(rows).square().sum().backward()
    for name, parameter in network.named_parameters():
        torch.testing.assert_close(found[name], parameter.grad, rtol=1e-4, atol=1e-5)


def test_symbols_tell_case_apart_and_cut_what_is_too_long():
    tokens = TokenSymbols.build(SPELLED)
    assert tokens.ids.tolist() == sorted(SPELLED)
    the, upper = (tokens.symbols[4 * n : 4 * n + 4] for n in range(2))
    assert (upper - the).tolist() == [0, 1, 0, 0]
    assert int(tokens.lengths.max()) == MOST_SYMBOLS
    assert tokens.alphabet_size == len(set(" thecaxsing'"))


def test_no_token_can_be_spoken():
    with pytest.raises(ValueError, match="no token of the LLM can be spoken"):
        TokenSymbols.build({})


def test_keys_of_several_sources_are_added_and_have_length_one():
    tokens = TokenSymbols.build(SPELLED)
    phones = TokenSymbols.build({i: ["AH", "^"] for i in SPELLED})
    torch.manual_seed(0)
    keys = ComputedKeys({"spelling": tokens, "pronunciation": phones}, 5, 4, 6, free_keys=2)
    index = torch.tensor([5, 0, 1])
    torch.nn.init.normal_(keys.free.weight)
    parts = [torch.cat(network(index), 1) for network in keys.networks.values()]
    free = torch.stack([torch.zeros(6), *keys.free.weight])
    expected = sum(parts) + free
    vectors, biases = keys(index)
    torch.testing.assert_close(vectors, normalize(expected[:, :5], dim=1))
    torch.testing.assert_close(biases, expected[:, 5])


def test_stored_keys_are_loaded_from_a_state():
    torch.manual_seed(0)
    stored = StoredKeys(torch.tensor([2, 5, 6]), torch.randn(3, 4), torch.randn(3))
    other = StoredKeys.empty(3, 4)
    other.load_state_dict(stored.state_dict())
    index = torch.tensor([2, 0])
    for found, expected in zip(other(index), stored(index), strict=True):
        assert torch.equal(found, expected)
    assert torch.equal(other.ids, stored.ids)
