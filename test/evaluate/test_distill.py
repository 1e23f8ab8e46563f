"""Scoring a test set: an oracle scores 1, its controls what they must, files say the same."""

import json

import pytest
import torch
from torch.nn.functional import normalize

from espnet_ssr.connector import AbsConnector, ConnectorOutput
from espnet_ssr.connector.abs import StateConnector, States
from espnet_ssr.connector.heads import HullHead
from espnet_ssr.connector.keys import StoredKeys
from espnet_ssr.datadir import read_keyed
from espnet_ssr.encoder import TinyEncoder
from espnet_ssr.evaluate.distill import count_tokens, evaluate, load_utterances
from espnet_ssr.evaluate.embedding import Utterance
from espnet_ssr.llm.embedding import EmbeddingSpace
from espnet_ssr.model.distill import SSRDistillModel

TOKENS = {"b": [3, 1, 7], "a": [5, 5], "c": [9, 0, 2, 38]}
TRAINING = "x 3 3 1\ny 7 5 9 0\n"


class Oracle(AbsConnector):
    """Its features are embeddings; it repeats that of each segment's last frame."""

    def __init__(self, width):
        super().__init__()
        self.output = torch.nn.Linear(width, width, bias=True)

    def forward(self, feats, feats_lengths, token_end=None, token_lengths=None):
        index = token_end[..., None].expand(-1, -1, feats.size(-1))
        return ConnectorOutput(feats.gather(1, index), token_lengths)


class Spelling:
    """A tokenizer with a word a token; 38 is special."""

    def decode(self, ids, skip_special_tokens=False):
        words = [f"w{int(i)}" for i in ids if not (skip_special_tokens and i == 38)]
        return " " + " ".join(words)


@pytest.fixture
def model(embedding_matrix):
    space = EmbeddingSpace(embedding_matrix)
    return SSRDistillModel(Oracle(space.width), space, encoder=None, frame_rate=50.0).eval()


@pytest.fixture
def utterances(embedding_matrix):
    """Two frames a segment, of which the first is noise."""
    found = []
    for utt_id, ids in TOKENS.items():
        noise = torch.randn(len(ids), embedding_matrix.size(1))
        feats = torch.stack([noise, embedding_matrix[ids]], dim=1).flatten(0, 1)
        ends = torch.arange(1, 2 * len(ids), 2)
        found.append(Utterance(utt_id, feats, torch.tensor(ids), ends))
    return found


@pytest.fixture
def scored(model, utterances, tmp_path):
    (tmp_path / "token_id").write_text(TRAINING)
    output = tmp_path / "decode" / "test"
    with torch.inference_mode():
        result = evaluate(model, utterances, Spelling(), tmp_path / "token_id", output)
    return result, output


def test_true_embeddings_score_one(scored):
    figures = dict(scored[0]["figures"]["connector"])
    assert figures.pop("mse") == figures.pop("token_error_rate") == 0
    # The reference holds a special token, which is not part of what was said.
    assert figures.pop("wer") == pytest.approx(1 / 9)
    assert figures.pop("cer") > 0
    assert figures == pytest.approx(dict.fromkeys(figures, 1.0))


def test_bands_hold_every_token_once(scored):
    bands = scored[0]["bands"]
    for by in ("frequency", "position"):
        assert sum(band["tokens"] for band in bands[by]) == 9
        assert {band["token_accuracy"] for band in bands[by]} == {1.0}
    assert bands["frequency"][0]["tokens"] == 2  # never in training


def test_controls_do_not_hear_the_words(scored, embedding_matrix):
    figures = scored[0]["figures"]
    # No token is in two utterances, so that another's segment is never the right one.
    assert figures["shuffled segments"]["token_accuracy"] == 0
    assert figures["shuffled segments"]["wer"] > 0.8
    ids = torch.tensor(sum(TOKENS.values(), []))
    # Frequencies in TRAINING weigh.
    mean = embedding_matrix[[3, 3, 1, 7, 5, 9, 0]].mean(0)
    expected = EmbeddingSpace(embedding_matrix).fidelity(mean.expand(len(ids), -1), ids)
    for name, value in expected.items():
        assert figures["mean embedding"][name] == pytest.approx(value.mean().item(), rel=1e-4)


def test_counts_and_rates(scored, model):
    result, _ = scored
    expected = {
        "parameters": sum(p.numel() for p in model.connector.parameters()),
        "seen_share": 7 / 9,  # all but 2 and 38
        "utterances": 3,
        "tokens": 9,
        "seconds": 18 / 50,
        "vectors_per_second": 25,
        "frames_per_vector": 2,
    }
    found = {name: result[name] for name in expected}
    assert found == pytest.approx(expected)
    assert result.keys() - expected.keys() == {"figures", "bands"}


def test_files(scored):
    result, output = scored
    assert json.loads((output / "result.json").read_text()) == result
    # In the order of the test set, not sorted anew.
    assert list(read_keyed(output / "text")) == list(TOKENS)
    assert read_keyed(output / "token_int") == {
        k: " ".join(map(str, ids)) for k, ids in TOKENS.items()
    }
    assert read_keyed(output / "text")["c"] == "w9 w0 w2"


class Counting(Oracle):
    """Decides by itself on a vector for every other frame and, with ``surplus``, the first one."""

    needs_segmentation = False

    def __init__(self, width, surplus):
        super().__init__(width)
        self.surplus = surplus

    def forward(self, feats, feats_lengths, token_end=None, token_lengths=None):
        if token_lengths is not None:
            return super().forward(feats, feats_lengths, token_end, token_lengths)
        ends = torch.arange(1, feats.size(1), 2)
        if self.surplus:
            ends = torch.cat([torch.tensor([1]), ends])
        return super().forward(feats, feats_lengths, ends[None], torch.tensor([len(ends)]))


@pytest.mark.parametrize("surplus", [False, True])
def test_own_number_of_vectors(embedding_matrix, utterances, tmp_path, surplus):
    space = EmbeddingSpace(embedding_matrix)
    connector = Counting(space.width, surplus)
    model = SSRDistillModel(connector, space, encoder=None, frame_rate=50.0).eval()
    (tmp_path / "token_id").write_text(TRAINING)
    with torch.inference_mode():
        result = evaluate(model, utterances, Spelling(), tmp_path / "token_id", tmp_path / "out")
    # Told the number, it is the oracle.
    assert result["figures"]["connector"]["token_accuracy"] == 1
    assert result["textless"]["segments_exact"] == (not surplus)
    assert result["textless"]["segment_surplus"] == pytest.approx(3 / 9 * surplus)
    assert result["textless"]["tokens_found"] == 1
    heard = read_keyed(tmp_path / "out" / "textless" / "token_int")
    assert heard["b"] == ("3 3 1 7" if surplus else "3 1 7")
    assert read_keyed(tmp_path / "out" / "token_int")["b"] == "3 1 7"


class KnownPosteriors(StateConnector):
    """Scores are cosines of that frame with the embeddings, ten times."""

    def __init__(self, matrix):
        super().__init__()
        keys = StoredKeys(torch.arange(len(matrix)), normalize(matrix), torch.zeros(len(matrix)))
        self.output = HullHead(matrix.size(1), matrix.size(1), keys)
        with torch.no_grad():
            self.output.query.weight.copy_(torch.eye(matrix.size(1)))
            self.output.query.bias.zero_()

    def compress(self, feats, feats_lengths, token_end=None, token_lengths=None):
        return States(feats[0, token_end[0]], token_lengths)


@torch.no_grad()
def test_figures_of_posteriors(embedding_matrix, utterances, tmp_path):
    space = EmbeddingSpace(embedding_matrix)
    connector = KnownPosteriors(embedding_matrix)
    model = SSRDistillModel(connector, space, encoder=None, frame_rate=50.0).eval()
    # Of the last utterance the embedding of another token, which occurs in training.
    utterances[-1].feats[-1] = embedding_matrix[3]
    (tmp_path / "token_id").write_text(TRAINING)
    result = evaluate(model, utterances, Spelling(), tmp_path / "token_id", tmp_path / "out")
    ids = torch.tensor([*sum(TOKENS.values(), [])[:-1], 3])
    unit = normalize(embedding_matrix)
    log = (10 * unit[ids] @ unit.T).log_softmax(1)
    assert result["posterior"] == {
        "entropy": pytest.approx(-(log.exp() * log).sum(1).mean().item(), rel=1e-4),
        "token_accuracy": pytest.approx(8 / 9),
        "token_accuracy_seen": 1,
        "token_accuracy_unseen": 0.5,
    }
    assert json.loads((tmp_path / "out" / "result.json").read_text())["posterior"]


def test_count_tokens(tmp_path):
    (tmp_path / "token_id").write_text(TRAINING)
    counts = count_tokens(tmp_path / "token_id", 40)
    assert len(counts) == 40
    assert {i: n for i, n in enumerate(counts.tolist()) if n} == {
        0: 1, 1: 1, 3: 2, 5: 1, 7: 1, 9: 1,
    }  # fmt: skip


@pytest.mark.parametrize("source", ["speech", "feats"])
def test_load_utterances(embedding_matrix, source):
    width = embedding_matrix.size(1)
    encoder = TinyEncoder(width)
    space = EmbeddingSpace(embedding_matrix)
    model = SSRDistillModel(Oracle(width), space, encoder=encoder, frame_rate=50.0)
    speech, samples = torch.rand(1, 3200), torch.tensor([3200])
    feats, frames = encoder(speech, samples)
    given = {"speech": speech, "speech_lengths": samples}
    if source == "feats":
        given = {"feats": feats, "feats_lengths": frames}
    batch = {
        "token_end": torch.tensor([[0.06, 0.2]]),
        "token_end_lengths": torch.tensor([2]),
        **given,
    }
    loader = [(["u1"], batch), (["unknown"], batch)]
    (utterance,) = load_utterances(model, loader, {"u1": [4, 2], "u2": [5]})
    assert utterance.utt_id == "u1"
    assert torch.equal(utterance.feats, feats[0])
    assert utterance.token_id.tolist() == [4, 2]
    assert utterance.token_end.tolist() == [2, 9]


def test_copies_of_an_utterance_count_once(tmp_path):
    folder = tmp_path / "train_aug" / "seg"
    folder.mkdir(parents=True)
    (folder / "token_id").write_text("a 3 3 1\naug1-a 3 3 1\nb 1\n")
    assert count_tokens(folder / "token_id", 5).tolist() == [0, 3, 0, 4, 0]
    (tmp_path / "train_aug" / "utt2uniq").write_text("a a\naug1-a a\nb b\n")
    assert count_tokens(folder / "token_id", 5).tolist() == [0, 2, 0, 2, 0]
