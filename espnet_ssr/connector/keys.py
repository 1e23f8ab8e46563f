"""Keys: one vector and one bias for each token that can be spoken.

A key is computed from what a token is written or pronounced with, so a token that never occurs in
training has one too, near the keys of tokens that sound alike. Acoustically grounded word
embeddings (Settle et al., arXiv 1903.12306; 2007.00183) compute a vector of a word from its
characters or phones, too, with a bidirectional LSTM; here it is two convolutions over packed
symbols, which need no padding and no loop, and no trained acoustic model is copied.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch.nn.functional import gelu, normalize, pad

from espnet_ssr.connector.segments import Rows

MOST_SYMBOLS = 32
"""What is longer is cut: positions are learned from both ends."""


class TokenSymbols(NamedTuple):
    """What tokens are written or pronounced with.

    Attributes:
        ids: tokens of the LLM ``(K,)`` that can be spoken, ascending.
        symbols: their symbols ``(N,)``, token by token; each is twice a number of the alphabet, and
            one more for an upper-case letter.
        lengths: symbols of each token ``(K,)``, 1 to ``MOST_SYMBOLS``.
    """

    ids: torch.Tensor
    symbols: torch.Tensor
    lengths: torch.Tensor

    @classmethod
    def build(cls, spelled: dict[int, Sequence[str]]) -> TokenSymbols:
        """Number the symbols of ``token -> symbols``; the alphabet is sorted, so it depends on the
        set of symbols alone.

        Raises:
            ValueError: there is no token.
        """
        if not spelled:
            raise ValueError("no token of the LLM can be spoken: its tokenizer tells no spellings")
        alphabet = {s.lower() for symbols in spelled.values() for s in symbols[:MOST_SYMBOLS]}
        number = {symbol: n for n, symbol in enumerate(sorted(alphabet))}
        ids = sorted(spelled)
        rows = [
            [2 * number[s.lower()] + (s != s.lower()) for s in spelled[i][:MOST_SYMBOLS]]
            for i in ids
        ]
        return cls(
            torch.tensor(ids),
            torch.tensor([s for row in rows for s in row]),
            torch.tensor([len(row) for row in rows]),
        )

    @property
    def alphabet_size(self) -> int:
        return int(self.symbols.max()) // 2 + 1


class KeyNetwork(torch.nn.Module):
    """Symbols of a token -> a key and a bias.

    Args:
        tokens: what the tokens are spelled with; kept beside the weights, not in checkpoints.
        key_size: width ``d`` of a key.
        symbol_size: width of a symbol's embedding.
        channels: width of the convolutions, of 5 and of 3 symbols.
    """

    def __init__(
        self, tokens: TokenSymbols, key_size: int, symbol_size: int = 64, channels: int = 128
    ):
        super().__init__()
        self.register_buffer("_symbols", tokens.symbols, persistent=False)
        self.register_buffer("_lengths", tokens.lengths, persistent=False)
        self.symbol = torch.nn.Embedding(tokens.alphabet_size, symbol_size)
        self.case = torch.nn.Embedding(2, symbol_size)
        self.from_start = torch.nn.Embedding(MOST_SYMBOLS, symbol_size)
        self.from_end = torch.nn.Embedding(MOST_SYMBOLS, symbol_size)
        self.wide = PackedConvolution(symbol_size, channels, 5)
        self.narrow = PackedConvolution(channels, channels, 3)
        self.norm = torch.nn.LayerNorm(2 * channels)
        self.output = torch.nn.Linear(2 * channels, key_size + 1)

    def forward(self, index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Keys ``(C, d)`` and biases ``(C,)`` of tokens, given by their places ``(C,)`` among
        those that can be spoken."""
        rows = Rows.packed(self._lengths).take(index)
        place, row = rows.members()
        position = place - rows.first[row]
        symbols = self._symbols[place]
        # As embeddings: indexing is far slower backwards.
        x = self.symbol(symbols // 2) + self.case(symbols % 2)
        x = x + self.from_start(position) + self.from_end(rows.lengths[row] - 1 - position)
        x = gelu(self.wide(x, row))
        x = x + gelu(self.narrow(x, row))
        states = self.norm(torch.cat(_mean_and_max(x, row, len(index)), dim=1))
        return self.output(states).split([self.output.out_features - 1, 1], dim=1)


class PackedConvolution(torch.nn.Linear):
    """A convolution over the symbols ``(N, C)`` of packed rows, as one product of
    matrices: PyTorch's own is ten times slower on so long and narrow an input on a CPU."""

    def __init__(self, in_channels: int, channels: int, width: int):
        super().__init__(in_channels * width, channels)
        self.width = width

    def forward(self, x: torch.Tensor, row: torch.Tensor) -> torch.Tensor:
        """``row``: ``(N,)``, ascending; symbols of other rows count as zeros."""
        reach = self.width // 2
        padded = pad(x, (0, 0, reach, reach))
        rows = pad(row, (reach, reach), value=-1)
        around = [
            padded[n : n + len(x)] * (rows[n : n + len(x)] == row)[:, None]
            for n in range(self.width)
        ]
        return super().forward(torch.cat(around, dim=1))


def _mean_and_max(x: torch.Tensor, row: torch.Tensor, num_rows: int):
    """Means and maxima ``(R, C)`` over the symbols ``(N, C)`` of each row."""
    nothing = x.new_zeros(num_rows, x.size(1))
    counts = x.new_zeros(num_rows).index_add(0, row, x.new_ones(len(row)))
    mean = nothing.index_add(0, row, x) / counts[:, None]
    index = row[:, None].expand_as(x)
    return mean, nothing.scatter_reduce(0, index, x, "amax", include_self=False)


class ComputedKeys(torch.nn.Module):
    """Keys of length 1 from one or several networks, whose outputs are added up.

    Args:
        sources: name -> what the same tokens are made of, for example ``spelling``.
        key_size: width ``d`` of a key.
        symbol_size, channels: see ``KeyNetwork``.
        free_keys: so many tokens, the first of the vocabulary, which a tokenizer has learned
            first and which are frequent, get a free vector beside the computed key.
    """

    def __init__(
        self,
        sources: Mapping[str, TokenSymbols],
        key_size: int = 256,
        symbol_size: int = 64,
        channels: int = 128,
        free_keys: int = 0,
    ):
        super().__init__()
        self.size = key_size
        self.networks = torch.nn.ModuleDict(
            {name: KeyNetwork(t, key_size, symbol_size, channels) for name, t in sources.items()}
        )
        self.register_buffer("ids", next(iter(sources.values())).ids, persistent=False)
        self.free = torch.nn.Embedding(free_keys, key_size + 1) if free_keys else None
        if self.free is not None:
            torch.nn.init.zeros_(self.free.weight)

    def forward(self, index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Keys ``(C, d)`` and biases ``(C,)`` of tokens, given by their places in ``ids``."""
        parts = [torch.cat(network(index), dim=1) for network in self.networks.values()]
        if self.free is not None:
            free = self.free(index.clamp(max=self.free.num_embeddings - 1))
            parts.append(free * (index < self.free.num_embeddings)[:, None])
        keys, biases = sum(parts).split([self.size, 1], dim=1)
        return normalize(keys, dim=-1), biases.squeeze(1)


class StoredKeys(torch.nn.Module):
    """Keys ``(K, d)`` and biases ``(K,)`` of tokens ``(K,)`` as they were computed, for
    inference."""

    def __init__(self, ids: torch.Tensor, keys: torch.Tensor, biases: torch.Tensor):
        super().__init__()
        self.size = keys.size(1)
        for name, value in (("ids", ids), ("matrix", keys), ("biases", biases)):
            self.register_buffer(name, value)

    @classmethod
    def empty(cls, num_tokens: int, key_size: int) -> StoredKeys:
        """To be filled by ``load_state_dict``."""
        keys = torch.zeros(num_tokens, key_size)
        return cls(torch.arange(num_tokens), keys, keys[:, 0].clone())

    def forward(self, index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """See ``ComputedKeys``."""
        return self.matrix[index], self.biases[index]
