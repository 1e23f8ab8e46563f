"""Meta's checkpoint layouts, filled at random, against the formulas of its module."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import conv1d

from espnet_ssr.align.abs import AlignUtterance
from espnet_ssr.align.monotonic import search_durations
from espnet_ssr.align.unity2_meta import MetaCharLabels, load_meta_aligner

sentencepiece = pytest.importorskip("sentencepiece")

WIDTH, UNITS, HIDDEN = 5, 12, 16
TEXTS = ["the cat sat, on The mat.", "a dog's day ends!", "zebras quit foxy jumps view"]


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    """Folder with centroids and a character model whose first pieces are as in Meta's."""
    folder = tmp_path_factory.mktemp("meta")
    centroids = np.random.default_rng(0).normal(size=(UNITS, WIDTH)).astype(np.float32)
    np.save(folder / "kmeans.npy", centroids)
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXTS * 3),
        model_writer=model,
        model_type="char",
        vocab_size=64,
        hard_vocab_limit=False,
        bos_id=0,
        pad_id=1,
        eos_id=2,
        unk_id=3,
        minloglevel=2,
    )
    (folder / "char.model").write_bytes(model.getvalue())
    return folder


@pytest.fixture
def state(files) -> dict:
    """Random parameters by the names of Meta's module."""
    generator = torch.Generator().manual_seed(0)

    def random(*shape):
        return 0.3 * torch.randn(*shape, generator=generator)

    num_labels = len(MetaCharLabels(str(files / "char.model")))
    state = {
        "alignment_frontend.embed_text.weight": 3 * random(num_labels, HIDDEN),
        "alignment_frontend.embed_unit.weight": 3 * random(4 + UNITS + 78, HIDDEN),
    }
    sizes = {"t_conv.1": 3, "t_conv.4": 1, "f_conv.1": 3, "f_conv.4": 3, "f_conv.7": 1}
    for layer, kernel_size in sizes.items():
        state[f"alignment_encoder.{layer}.weight"] = random(HIDDEN, HIDDEN, kernel_size)
        state[f"alignment_encoder.{layer}.bias"] = random(HIDDEN)
    return state


def load(files, content):
    torch.save(content, files / "checkpoint.pt")
    return load_meta_aligner(
        *(str(files / f) for f in ("checkpoint.pt", "kmeans.npy", "char.model"))
    )


def meta_scores(state, ids, units):
    """Log-probabilities ``(T, L)``, written after the description of Meta's module."""

    def convolve(x, *layers):
        for i, (layer, padding) in enumerate(layers):
            weight, bias = (state[f"alignment_encoder.{layer}.{k}"] for k in ("weight", "bias"))
            x = conv1d(x.relu() if i else x, weight, bias, padding=padding)
        return x.T

    text = state["alignment_frontend.embed_text.weight"][ids].T
    frames = state["alignment_frontend.embed_unit.weight"][4 + units].T
    text = convolve(text, ("t_conv.1", 1), ("t_conv.4", 0))
    frames = convolve(frames, ("f_conv.1", 1), ("f_conv.4", 1), ("f_conv.7", 0))
    distance = torch.norm(frames[:, None] - text[None], p=2, dim=2)
    return (-distance).log_softmax(dim=-1)


def speech(num_frames=60, seed=1):
    """Features near centroids, and which."""
    rng = np.random.default_rng(seed)
    units = rng.integers(0, UNITS, num_frames)
    centroids = np.random.default_rng(0).normal(size=(UNITS, WIDTH)).astype(np.float32)
    return centroids[units] + np.float32(1e-3), torch.from_numpy(units)


def check_alignment(aligner, state, files):
    """The aligner's letters are where Meta's formulas put them."""
    feats, units = speech()
    text = "the cat, mat"
    ids, offsets = MetaCharLabels(str(files / "char.model")).encode(text)
    scores = meta_scores(state, ids, units)
    (durations,) = search_durations(scores[None].numpy(), [len(feats)], [len(ids)])
    (found,) = aligner.align_batch([AlignUtterance("utt", feats, text)])
    ends = np.cumsum(durations)[[begin < end for begin, end in offsets]]
    letters = found["char"].spans
    assert "".join(span.label for span in letters) == "thecatmat"
    np.testing.assert_allclose([span.end for span in letters], ends / 50)
    first = scores[: durations[:2].sum()][durations[0] :, 1]
    assert letters[0].score == pytest.approx(first.mean().item(), rel=1e-3)


def test_layout_of_the_module(files, state):
    check_alignment(load(files, {"model": state}), state, files)


def test_layout_of_the_training(files, state):
    names = MetaCharLabels(str(files / "char.model")).names
    text = state["alignment_frontend.embed_text.weight"]
    order = sorted(range(4, len(names)), key=lambda i: names[i])
    content = {
        "text_emb_state": {"weight": text[[0, 1, 2, 3, *order]]},
        "unit_emb_state": {"weight": state["alignment_frontend.embed_unit.weight"]},
        "aligner_state": {
            key.removeprefix("alignment_encoder."): value
            for key, value in state.items()
            if key.startswith("alignment_encoder.")
        },
    }
    check_alignment(load(files, content), state, files)


def test_missing_and_unknown_parameters(files, state):
    extra = {**state, "alignment_encoder.f_conv.10.weight": torch.zeros(1)}
    with pytest.raises(ValueError, match=r"another UnitY2 aligner, with .*f_conv\.10\.weight"):
        load(files, {"model": extra})
    del state["alignment_encoder.t_conv.4.bias"]
    with pytest.raises(ValueError, match=r"not a UnitY2 aligner, .*t_conv\.4\.bias missing"):
        load(files, {"model": state})


def test_other_centroids_or_characters(files, state):
    state["alignment_frontend.embed_unit.weight"] = torch.zeros(500, HIDDEN)
    with pytest.raises(ValueError, match=r"embed_unit.weight is \(500, 16\), but \(94, 16\)"):
        load(files, {"model": state})
    state["alignment_frontend.embed_unit.weight"] = torch.zeros(94, HIDDEN)
    state["alignment_frontend.embed_text.weight"] = torch.zeros(9, HIDDEN)
    with pytest.raises(ValueError, match=r"embed_text.weight is \(9, 16\)"):
        load(files, {"model": state})


def test_file_that_is_no_checkpoint(files):
    (files / "checkpoint.pt").write_bytes(b"hello")
    paths = [str(files / f) for f in ("checkpoint.pt", "kmeans.npy", "char.model")]
    with pytest.raises(ValueError, match="checkpoint.pt: not a readable checkpoint"):
        load_meta_aligner(*paths)


def test_characters(files):
    labels = MetaCharLabels(str(files / "char.model"))
    ids, offsets = labels.encode("The  cat. 你")
    assert "".join(labels.names[i] for i in ids) == "▁The▁cat.▁"
    assert offsets[:4] == [(0, 0), (0, 1), (1, 2), (2, 3)]
    assert offsets[4:] == [(5, 5), (5, 6), (6, 7), (7, 8), (8, 8), (11, 11)]
    # Known in lower case only, known after normalisation, not known.
    ids, offsets = labels.encode("Xａ你")
    assert "".join(labels.names[i] for i in ids) == "▁xa▁"
    assert labels.encode("你 …") == ([], [])
