"""Batches hold every example unchanged, with zeros after it."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from espnet_ssr.data.collate import collate


@st.composite
def examples(draw):
    """Features and token ids of a few utterances, lengths independent of each other."""
    size = draw(st.integers(1, 4))
    lengths = st.lists(st.integers(0, 6), min_size=size, max_size=size)
    made = []
    for i, (frames, tokens) in enumerate(zip(draw(lengths), draw(lengths), strict=True)):
        feats = draw(hnp.arrays(np.float32, (frames, 3), elements=st.floats(1, 9, width=32)))
        ids = draw(hnp.arrays(np.int64, tokens, elements=st.integers(1, 2**40)))
        made.append((f"utt-{i}", {"feats": feats, "token_id": ids}))
    return made


@given(examples())
def test_padding_is_all_that_is_added(batch_of):
    utt_ids, batch = collate(batch_of)
    assert utt_ids == [utt_id for utt_id, _ in batch_of]
    assert list(batch) == ["feats", "feats_lengths", "token_id", "token_id_lengths"]
    for name in ("feats", "token_id"):
        arrays = [data[name] for _, data in batch_of]
        lengths = [len(array) for array in arrays]
        assert batch[f"{name}_lengths"].tolist() == lengths
        assert batch[f"{name}_lengths"].dtype == torch.int64
        assert batch[name].shape == (len(arrays), max(lengths), *arrays[0].shape[1:])
        for row, array in zip(batch[name].numpy(), arrays, strict=True):
            assert row.dtype == array.dtype
            np.testing.assert_array_equal(row[: len(array)], array)
            assert not row[len(array) :].any()


def test_missing_name_is_an_error():
    example = {"feats": np.zeros((2, 3), np.float32)}
    with pytest.raises(KeyError, match="feats"):
        collate([("a", example), ("b", {})])
