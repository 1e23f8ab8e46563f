"""Aligned continuous integrate-and-fire (ACIF; "Align, Integrate, and Fire", arXiv 2609.18516).

CIF that is taught where tokens are by dynamic time warping (DTW) against the token embeddings, and
not by scaling its weights to the number of tokens: it is trained to fire as it will when nobody
tells it how many tokens there are.

The original (section 3.1) aligns *frames*: every state is projected to the LLM's width, DTW on the
cosine distance gives each token its frames, their weighted mean is the token's vector, and the
quantity loss asks the weights of each token's frames to add up to 1. Here *fired vectors* are
aligned with the tokens, so that the tokens are not needed to compute the vectors, and the quantity
loss is CIF's, over the utterance. The distance is centred like the original's loss. The encoder is
CIF's: the original has two strided convolutions, six layers of width 1024 and two linear layers.

Its loss is 0.01 * normalised MSE (the squared error over the embeddings' squared norm) + 10 * (1 -
centred cosine) + quantity: relative to the cosine the quantity loss weighs 0.1.
"""

from __future__ import annotations

import torch
from torch.nn.functional import normalize

from espnet_ssr.connector.cif import CIFConnector
from espnet_ssr.connector.dtw import dtw_path


class ACIFConnector(CIFConnector):
    """CIF that fires freely in training, its vectors matched with the tokens by DTW.

    Out of training it is CIF: told ``token_lengths``, it gives one vector a token. Arguments are
    ``CIFConnector``'s.
    """

    def fires_freely(self, token_lengths: torch.Tensor | None) -> bool:
        """See ``CIFConnector.fires_freely``."""
        return self.training or token_lengths is None

    @torch.no_grad()
    def match(self, vectors, lengths, targets, token_lengths):
        """See ``AbsConnector.match``; out of training the ``i``-th vector with the ``i``-th token.

        In training every vector and every token is in at least one pair: a vector that should
        have been two is compared with both tokens, two vectors of one token with the same.
        """
        if not self.training:
            # DTW would flatter the figures beside those of other connectors.
            return super().match(vectors, lengths, targets, token_lengths)
        with torch.autocast(vectors.device.type, enabled=False):
            vectors = normalize(vectors.float(), dim=-1)
            targets = normalize(targets.float(), dim=-1)
            distance = 1 - vectors @ targets.transpose(1, 2)
        return dtw_path(distance, lengths, token_lengths)
