"""UnitY2's network and aligner on random weights, and on a toy language that it learns."""

import numpy as np
import pytest
import torch

from espnet_ssr.align import unity2
from espnet_ssr.align.abs import AlignError, AlignUtterance
from espnet_ssr.align.labels import CharLabels
from espnet_ssr.align.monotonic import search_durations
from espnet_ssr.align.unity2 import UnitEmbedding, UnitY2Aligner, UnitY2Network

SIZE = 6
RATE = 50.0
LABELS = CharLabels.build(["abcd"], outer_delimiters=True)


def network(seed=0, **options):
    torch.manual_seed(seed)
    return UnitY2Network(SIZE, len(LABELS), **{"hidden_size": 8, **options})


def features(num_frames, seed=0):
    return np.random.default_rng(seed).normal(size=(num_frames, SIZE)).astype(np.float32)


def batch(*utterances):
    """Padded arguments of the network for pairs of features and text."""
    ids = [torch.tensor(LABELS.encode(text)[0]) for _, text in utterances]
    feats = [torch.from_numpy(x) for x, _ in utterances]
    arguments = []
    for rows in (feats, ids):
        arguments.append(torch.nn.utils.rnn.pad_sequence(rows, batch_first=True))
        arguments.append(torch.tensor([len(row) for row in rows]))
    return arguments


UTTERANCES = [(features(30), "ab cad"), (features(9, seed=1), "d"), (features(21, seed=2), "bb a")]


@pytest.fixture(params=[None, "units"])
def any_network(request, tmp_path):
    """On features, and on units."""
    if request.param:
        np.save(tmp_path / "centroids.npy", features(20, seed=5))
        return network(units=str(tmp_path / "centroids.npy")).eval()
    return network().eval()


def test_scores_are_log_probabilities_of_distances(any_network):
    arguments = batch(UTTERANCES[0])
    frames, labels = any_network.embed(*arguments)
    distance = (frames[0][:, None] - labels[0][None]).square().sum(-1).sqrt()
    scores = any_network.scores(*arguments)[0]
    torch.testing.assert_close(scores, (-distance).log_softmax(-1), atol=1e-4, rtol=1e-4)


def test_padding_changes_nothing(any_network):
    together = any_network.scores(*batch(*UTTERANCES))
    for scores, utterance in zip(together, UTTERANCES, strict=True):
        alone = any_network.scores(*batch(utterance))[0]
        torch.testing.assert_close(scores[: len(alone), : alone.size(1)], alone)
        assert (scores[: len(alone), alone.size(1) :] < -1000).all()


def test_temperature():
    cold, hot = network(), network(temperature=3.0)
    x, y = torch.randn(4, 8), torch.randn(5, 8)
    torch.testing.assert_close(hot.compare(x, y), 3 * cold.compare(x, y))


def test_units_are_nearest_centroids(tmp_path):
    centroids = features(20, seed=5)
    np.save(tmp_path / "centroids.npy", centroids)
    units = UnitEmbedding(SIZE, str(tmp_path / "centroids.npy"), 8)
    feats = torch.from_numpy(features(50, seed=6))
    wanted = torch.cdist(feats, torch.from_numpy(centroids)).argmin(dim=1)
    assert units.quantize(feats[None])[0].tolist() == wanted.tolist()


def test_units_are_loaded_with_the_weights(tmp_path):
    np.save(tmp_path / "centroids.npy", features(20, seed=5))
    trained = network(units=str(tmp_path / "centroids.npy")).eval()
    loaded = network(seed=1, units=20).eval()
    loaded.load_state_dict(trained.state_dict())
    arguments = batch(*UTTERANCES)
    torch.testing.assert_close(loaded.scores(*arguments), trained.scores(*arguments))


def test_centroids_of_other_features(tmp_path):
    np.save(tmp_path / "centroids.npy", np.zeros((20, SIZE + 1)))
    with pytest.raises(ValueError, match="centroids.npy: centroids of width 7, but features of 6"):
        network(units=str(tmp_path / "centroids.npy"))


def test_binarization_starts_later():
    net = network(binarization_start=2, binarization_weight=0.5, dropout_rate=0.0)
    arguments = batch(*UTTERANCES)
    for _ in range(2):
        losses = net(*arguments)
        assert losses["loss"] == losses["forward_sum"]
    net.eval()
    net.load_state_dict(net.state_dict())  # the step is among the weights
    assert net.num_steps == 2
    losses = net(*arguments)
    wanted = losses["forward_sum"] + 0.5 * losses["binarization"]
    torch.testing.assert_close(losses["loss"], wanted)
    assert net.num_steps == 2  # validation is no training


def test_gradients_are_finite():
    net = network(binarization_start=0)
    utterances = [*UTTERANCES, (features(3), "abcd abcd")]
    net(*batch(*utterances))["loss"].backward()
    assert all(p.grad.isfinite().all() for p in net.parameters())


def aligner(net, **options):
    return UnitY2Aligner(net, LABELS, RATE, **options)


def align(net, *utterances, **options):
    named = [AlignUtterance(f"utt{i}", *u) for i, u in enumerate(utterances)]
    return aligner(net, **options).align_batch(named)


@pytest.mark.parametrize("cells", [1, 50, 2**24])
def test_search_is_that_of_the_scores(any_network, monkeypatch, cells):
    monkeypatch.setattr(unity2, "BLOCK_CELLS", cells)
    feats, text = UTTERANCES[0]
    scores = any_network.scores(*batch(UTTERANCES[0])).detach().numpy()
    (durations,) = search_durations(scores, [scores.shape[1]], [scores.shape[2]])
    (found,) = align(any_network, (feats, text), min_pause=0.0)
    ends = np.cumsum(durations)
    starts = ends - durations
    letters = [1, 2, 4, 5, 6]  # among " ab cad "
    spans = found["char"].spans
    assert [span.label for span in spans] == list("abcad")
    np.testing.assert_allclose([s.start * RATE for s in spans], starts[letters])
    np.testing.assert_allclose([s.end * RATE for s in spans], ends[letters])
    means = [scores[0, starts[i] : ends[i], i].mean() for i in letters]
    np.testing.assert_allclose([s.score for s in spans], means, rtol=1e-3)


def test_batch_goes_on_without_the_utterances_that_fail():
    net = network()
    broken = features(20)
    broken[3] = np.nan
    failing = [
        (features(20), "", "empty_text"),
        (features(20), "?!", "empty_text"),
        (features(20), "ab 你", "unknown_characters"),
        (features(5), "abcd", "too_short"),
        (features(0), "a", "too_short"),
        (broken, "a", "no_path"),
    ]
    found = align(net, *UTTERANCES, *((x, text) for x, text, _ in failing))
    for result, (_, _, cause) in zip(found[len(UTTERANCES) :], failing, strict=True):
        assert isinstance(result, AlignError)
        assert result.cause == cause
    for result, utterance in zip(found, UTTERANCES, strict=False):
        (alone,) = align(net, utterance)
        assert [(s.label, s.start, s.end) for s in result["char"].spans] == [
            (s.label, s.start, s.end) for s in alone["char"].spans
        ]


def test_nothing_but_failures():
    found = align(network(), (features(0), ""), (features(0), "a"))
    assert [error.cause for error in found] == ["empty_text", "too_short"]


OFFSETS = LABELS.encode("a b")[1]  # labels: " a b "


@pytest.mark.parametrize(
    ("pause", "start"),
    [(1, 0.12), (4, 0.12), (5, 0.22), (20, 0.52)],
)
def test_short_delimiters_are_no_pauses(pause, start):
    spans = aligner(network())._to_spans(np.array([2, 4, pause, 3, 1]), np.zeros(5), OFFSETS)
    assert spans[1][:2] == pytest.approx((0.04, 0.12))  # the outer delimiters are silence
    assert spans[3][:2] == pytest.approx((start, 0.12 + (pause + 3) / RATE))


def test_frames_that_begin_before_the_audio():
    plain = aligner(network())._to_spans(np.array([1, 2, 9, 3, 1]), np.zeros(5), OFFSETS)
    early = aligner(network(), frame_offset=-0.01)._to_spans(
        np.array([1, 2, 9, 3, 1]), np.zeros(5), OFFSETS
    )
    assert early[0][:2] == pytest.approx((0.0, 0.01))
    for (start, end, _), wanted in zip(early[1:], plain[1:], strict=True):
        assert (start, end) == pytest.approx((wanted[0] - 0.01, wanted[1] - 0.01))
    late = aligner(network(), frame_offset=0.01)._to_spans(
        np.array([1, 2, 9, 3, 1]), np.zeros(5), OFFSETS
    )
    assert late[-1][1] == pytest.approx(16 / RATE)  # not after the audio


def toy_speech(text, seed):
    """Every label sounds like a vector of its own for 3 to 15 frames; also the true durations."""
    rng = np.random.default_rng(seed)
    sounds = 3 * np.random.default_rng(99).normal(size=(len(LABELS), SIZE))
    ids, _ = LABELS.encode(text)
    durations = rng.integers(3, 16, len(ids))
    frames = np.repeat(sounds[ids], durations, axis=0)
    return (frames + 0.3 * rng.normal(size=frames.shape)).astype(np.float32), durations


def test_learns_times_from_transcripts():
    rng = np.random.default_rng(0)
    texts = [
        " ".join("".join(rng.permutation(list("abcd"))[:3]) for _ in range(3)) for _ in range(12)
    ]
    speech = [toy_speech(text, seed) for seed, text in enumerate(texts)]
    arguments = batch(*((x, text) for (x, _), text in zip(speech, texts, strict=True)))
    net = network(hidden_size=32, binarization_start=25)
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    for _ in range(50):
        optimizer.zero_grad()
        net(*arguments)["loss"].backward()
        optimizer.step()
    with torch.no_grad():
        scores = net.eval().scores(*arguments).numpy()
    found = search_durations(scores, arguments[1].tolist(), arguments[3].tolist())
    off = [
        np.abs(np.cumsum(d) - np.cumsum(wanted)).mean()
        for d, (_, wanted) in zip(found, speech, strict=True)
    ]
    assert np.mean(off) < 1  # frames; equal shares would be off by 5
