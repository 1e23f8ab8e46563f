"""Posteriors of a hull head: of segments and vectors, in batches and windows, stored keys."""

import numpy as np
import pytest
import torch
from experiments import HULL

from espnet_ssr import Speech, SpeechLM
from espnet_ssr.connector.keys import StoredKeys
from espnet_ssr.encoder.dump import encode_batch
from espnet_ssr.speech_lm import Posteriors
from espnet_ssr.speech_lm.audio import find_windows
from espnet_ssr.speech_lm.load import read_training
from espnet_ssr.task.lm import SSRLMTask
from espnet_ssr.task.trained import load_trained


@pytest.fixture(scope="module")
def wav(sound):
    return sound(1.2, (0.2, 0.4), (0.6, 1.0))


def assert_same(found, expected):
    assert torch.equal(found.ids, expected.ids)
    torch.testing.assert_close(found.probabilities, expected.probabilities)
    torch.testing.assert_close(found.entropy, expected.entropy)


@torch.no_grad()
def test_they_are_those_of_the_trained_head(hull_lm, with_hull, wav):
    vectors, found = hull_lm.embed(wav, "ab c", nbest=3)
    assert found.ids.shape == found.probabilities.shape == (5, 3)
    assert found.entropy.shape == (5,)
    model, llm = load_trained(read_training(hull_lm.files), with_hull)
    feats = torch.from_numpy(encode_batch(hull_lm.listener._encoder, {"u": wav})["u"])[None]
    ends = torch.tensor([hull_lm.segment(wav, "ab c").token_end])
    lengths = {"feats": feats, "feats_lengths": torch.tensor([feats.size(1)])}
    output = model.eval().connect(ends, torch.tensor([5]), **lengths)
    torch.testing.assert_close(vectors, output.embeds[0])
    head = model.connector.output
    scores = head.scores(output.states, head.all_keys())
    full = scores.softmax(1)
    best = full.topk(3)
    assert torch.equal(found.ids, head.keys.ids[best.indices])
    torch.testing.assert_close(found.probabilities, best.values)
    torch.testing.assert_close(found.entropy, torch.special.entr(full).sum(1))
    assert hull_lm.spell(found.ids)[0][0] == hull_lm.tokenizer.decode(found.ids[0, :1])


def test_loading_keeps_the_keys_and_not_what_computed_them(hull_lm):
    assert isinstance(hull_lm.listener.model.connector.output.keys, StoredKeys)


def test_segments_and_vectors_have_the_same(hull_lm, wav):
    for text in (None, "ab c"):
        segments, of_segments = hull_lm.segment(wav, text, nbest=2)
        vectors, of_vectors = hull_lm.embed(wav, text, nbest=2)
        assert segments == hull_lm.segment(wav, text)
        torch.testing.assert_close(vectors, hull_lm.embed(wav, text))
        assert len(of_segments.ids) == len(segments.token_end)
        assert_same(of_segments, of_vectors)


def test_neither_the_batch_nor_its_padding_is_seen(hull_lm, sound, wav):
    waves = [wav, sound(2.0, (0.5, 1.0)), sound(0.5), sound(0.3, (0.1, 0.3))]
    batch = hull_lm.embed(waves, nbest=4)
    assert [len(p.ids) for _, p in batch] == [2, 1, 0, 1]
    for one, (vectors, posteriors) in zip(waves, batch, strict=True):
        alone = hull_lm.embed(Speech(one), nbest=4)
        torch.testing.assert_close(vectors, alone[0])
        assert_same(posteriors, alone[1])
    assert [s for s, _ in hull_lm.segment(waves, nbest=4)] == hull_lm.segment(waves)
    assert hull_lm.embed([], nbest=4) == []


@torch.no_grad()
def test_states_are_packed_without_padding(hull_lm):
    model, head = hull_lm.listener.model, hull_lm.listener.model.connector.output
    feats = torch.randn(3, 20, 8, generator=torch.Generator().manual_seed(0))
    lengths, tokens = torch.tensor([20, 12, 7]), torch.tensor([3, 0, 2])
    ends = torch.tensor([[0.1, 0.2, 0.4], [0, 0, 0], [0.06, 0.14, 0]])
    output = model.connect(ends, tokens, feats=feats, feats_lengths=lengths)
    found = head.posteriors(output.states, 2)
    alone = [
        head.posteriors(
            model.connect(
                ends[n : n + 1, : tokens[n]], tokens[n : n + 1],
                feats=feats[n : n + 1, : lengths[n]], feats_lengths=lengths[n : n + 1],
            ).states, 2,
        )
        for n in range(3)
    ]  # fmt: skip
    for part, parts in zip(found, zip(*alone, strict=True), strict=True):
        torch.testing.assert_close(part, torch.cat(parts))


def test_windows_of_long_recordings_are_joined(hull_lm, sound):
    beeps = [(t, t + 0.5) for t in np.arange(0.5, 40, 1.5).tolist()]
    wav = sound(40, *beeps)
    segments, posteriors = hull_lm.segment(wav, nbest=2)
    assert len(segments.token_end) == len(posteriors.ids) == len(posteriors.entropy) == len(beeps)
    (_, cut), _ = find_windows(wav, 16000)
    parts = hull_lm.embed([wav[:cut], wav[cut:]], nbest=2)
    assert_same(posteriors, Posteriors(*map(torch.cat, zip(*(p for _, p in parts), strict=True))))


def test_silence_has_none(hull_lm):
    vectors, posteriors = hull_lm.embed(np.zeros(8000, dtype=np.float32), nbest=3)
    assert vectors.shape == (0, 16)
    assert posteriors.ids.shape == posteriors.probabilities.shape == (0, 3)
    assert posteriors.entropy.shape == (0,)
    assert posteriors.ids.dtype == torch.long
    assert hull_lm.spell(posteriors.ids) == []


def test_more_than_there_are_tokens(hull_lm, wav):
    posteriors = hull_lm.embed(wav, nbest=10**6)[1]
    assert posteriors.ids.size(1) == len(hull_lm.listener.model.connector.output.keys.ids)
    torch.testing.assert_close(posteriors.probabilities.sum(1), torch.ones(2))


def test_what_has_none_is_refused(lm, hull_lm, wav):
    for call in (lm.embed, lm.segment):
        with pytest.raises(ValueError, match="linear head, which has no posteriors.*lm.nearest"):
            call(wav, nbest=3)
        with pytest.raises(ValueError, match="nbest must be at least 1, not 0"):
            call(wav, nbest=0)


def test_connectors_without_segments_have_them_of_vectors(make_experiment, wav):
    options = ["--encoder", "tiny", "--encoder_conf", "output_size=8", "--connector", "cif"]
    options += ["--connector_conf", "num_heads=2", "--connector_conf", "num_layers=1", *HULL]
    cif = SpeechLM.from_pretrained(make_experiment(*options))
    for text in ("ab c", None):
        vectors, posteriors = cif.embed(wav, text, nbest=2)
        assert len(vectors) == len(posteriors.ids)
    with pytest.raises(ValueError, match="not those of segments: ask embed"):
        cif.segment(wav, nbest=2)


@pytest.mark.parametrize("finetune", ["vanilla", "lora"])
def test_the_hull_of_a_fine_tuned_llm(finetune, make_experiment, beep_aligner, wav):
    options = ["--encoder", "tiny", "--encoder_conf", "output_size=8", "--finetune", finetune]
    checkpoint = make_experiment(*options, *HULL, "--head_conf", "top_k=0", task=SSRLMTask)
    lm = SpeechLM.from_pretrained(checkpoint, aligner=beep_aligner)
    vectors, posteriors = lm.embed(wav, "ab c", nbest=10**6)
    expected = torch.bmm(posteriors.probabilities[:, None], lm.llm.embed(posteriors.ids))
    torch.testing.assert_close(vectors, expected.squeeze(1))
    assert isinstance(lm.listener.model.connector.output.keys, StoredKeys)
