"""The plain way to compute block attention: all T x T scores, all but a segment's own masked.

Same weights, same numbers as ``SSRConnector(attention="block")``, which packs segments instead; its
peer in ``bench/connector.py``.
"""

from __future__ import annotations

import torch

from espnet_ssr.connector.abs import ConnectorOutput
from espnet_ssr.connector.segments import segment_starts
from espnet_ssr.connector.ssr import SSRConnector
from espnet_ssr.connector.transformer import attend_rows, position_table


class MaskedConnector(SSRConnector):
    """``SSRConnector`` for one utterance whose segments are not empty and end where it ends."""

    def forward(self, feats, feats_lengths, token_end=None, token_lengths=None):
        """See ``AbsConnector.forward``."""
        place = torch.arange(feats.size(1), device=feats.device)
        segment = torch.bucketize(place, token_end[0])
        position = place - segment_starts(token_end)[0, segment]
        mask = (segment[:, None] == segment) & (place[:, None] >= place)
        x = self.input(feats)
        x = self.dropout(x + position_table(int(position.max()) + 1, x)[position])
        for layer in self.layers:
            x = layer(x, lambda query, key_value: attend_rows(query, key_value, mask))
        return ConnectorOutput(self.output(self.norm(x[:, token_end[0]])), token_lengths)
