"""Segments and vectors: times, windows, batches, connectors with and without segments."""

import numpy as np
import pytest
import torch

from espnet_ssr import Speech, SpeechLM
from espnet_ssr.connector.segments import seconds_to_frames
from espnet_ssr.encoder.dump import encode_batch

BEEPS = [(0.2, 0.4), (0.6, 1.0)]


@pytest.fixture(scope="module")
def wav(sound):
    return sound(1.2, *BEEPS)


def test_textless_segments_end_with_the_words_of_the_guess(lm, wav):
    found = lm.segment(wav)
    assert found.text == "hi hi"
    assert [w.label for w in found.words] == ["hi", "hi"]
    assert [(w.start, w.end) for w in found.words] == [pytest.approx(beep) for beep in BEEPS]
    assert found.token_end == pytest.approx([0.4, 1.0])
    assert found.token_id == ()


def test_textless_segments_by_token(on_features, encoder, beep_aligner, wav):
    options = {"aligner": beep_aligner, **encoder}
    lm = SpeechLM.from_pretrained(on_features, textless_unit="token", **options)
    # A token a byte, a space before each word: half a word for each letter.
    assert lm.segment(wav).token_end == pytest.approx([0, 0.3, 0.4, 0.4, 0.8, 1.0])
    assert len(lm.embed(wav)) == 6
    with pytest.raises(ValueError, match="textless_unit must be word or token, not 'letter'"):
        SpeechLM.from_pretrained(on_features, textless_unit="letter", **options)


def test_segments_of_a_transcript(lm, wav):
    found = lm.segment(wav, "No, it.")
    assert found.text == "No, it."
    assert found.token_end == pytest.approx([0, 0.3, 0.4, 0.6, 0.6, 0.8, 1.0, 1.2])
    assert list(found.token_id) == lm.tokenizer(" No, it.", add_special_tokens=False).input_ids
    assert lm.segment(Speech(wav, text="No, it.")) == found


def test_vectors_are_the_connectors_at_these_segments(lm, wav):
    found = lm.embed(wav, "ab c")
    segments = lm.segment(wav, "ab c")
    feats = torch.from_numpy(encode_batch(lm.listener._encoder, {"u": wav})["u"])[None]
    frames = torch.tensor([feats.size(1)])
    ends, tokens = torch.tensor([segments.token_end]), torch.tensor([len(segments.token_id)])
    last = seconds_to_frames(ends, tokens, frames, 50.0)
    with torch.no_grad():
        expected = lm.listener.model.connector(feats, frames, last, tokens).embeds[0]
    torch.testing.assert_close(found, expected)
    assert found.shape == (5, 16)
    assert found.dtype == torch.float32
    assert not found.is_inference()  # so that they may be trained on


def test_lists_in_lists_out(lm, sound, wav):
    waves = [wav, sound(2.0, (0.5, 1.0)), sound(0.3, (0.1, 0.3))]
    texts = ["ab c", "hello", "so"]
    for options in ({}, {"text": texts}):
        batch = lm.embed(waves, **options)
        alone = [
            lm.embed(w, **{name: value[n] for name, value in options.items()})
            for n, w in enumerate(waves)
        ]
        assert [len(v) for v in batch] == [len(v) for v in alone]
        torch.testing.assert_close(batch, alone)
    assert lm.segment(waves) == [lm.segment(w) for w in waves]
    assert lm.segment([]) == lm.embed([]) == []
    with pytest.raises(ValueError, match="3 utterances: give a list of as many texts"):
        lm.embed(waves, "ab")
    with pytest.raises(ValueError, match="1 utterances: give a list of as many texts"):
        lm.embed([wav], ["ab", "c"])
    with pytest.raises(ValueError, match="Speech has its own text"):
        lm.embed(Speech(wav), "ab c")


def test_8_khz_has_the_same_times(lm, wav):
    found = lm.segment(wav[::2].copy(), "ab c", sample_rate=8000)
    assert found.token_end == pytest.approx(lm.segment(wav, "ab c").token_end, abs=0.021)


def test_long_audio_is_heard_in_windows(lm, sound):
    beeps = [(t, t + 0.5) for t in np.arange(0.5, 100, 1.5).tolist()]
    wav = sound(100, *beeps)
    seconds = []

    def watch(module, inputs):
        seconds.append(inputs[0].numel() / 16000)

    handle = lm.listener._encoder.register_forward_pre_hook(watch)
    vectors = lm.embed(wav)
    handle.remove()
    assert len(seconds) > 1
    assert max(seconds) <= 60
    found = lm.segment(wav)
    assert [(w.start, w.end) for w in found.words] == [pytest.approx(b, abs=0.04) for b in beeps]
    assert len(vectors) == len(found.token_end) == len(beeps)
    assert list(found.token_end) == sorted(found.token_end)
    # A window is heard as if it were alone: of its last word only the pause after it may differ.
    first = lm.embed(wav[: round(20 * 16000)])
    torch.testing.assert_close(vectors[: len(first) - 2], first[:-2])


def test_an_hour_of_silence_has_no_segments(lm):
    assert lm.embed(np.zeros(3600 * 16000, dtype=np.float32)).shape == (0, 16)
    assert lm.segment(np.zeros(16000, dtype=np.float32)) == ("", (), (), ())


def test_long_audio_with_a_transcript_is_heard_whole(lm, sound):
    found = lm.segment(sound(121, (1, 2), (119, 120)), "ab c")
    assert [(w.start, w.end) for w in found.words] == [(1, 2), (119, 120)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("one two three", r"speech\[1\]: no_path: 3 words, 2 beeps"),
        ("", r"speech\[1\]: the transcript '' has no words"),
        ("...", r"speech\[1\]: the transcript '\.\.\.' has no words"),
        ("a" * 50 + " " + "b" * 50, r"speech\[1\]: 102 tokens in 60 frames"),
    ],
)
def test_transcripts_that_do_not_fit_are_refused_by_name(lm, wav, text, message):
    with pytest.raises(ValueError, match=message):
        lm.embed([wav, wav], ["so it", text])


def test_segments_need_an_aligner(on_features, encoder, wav, beep_aligner):
    without = SpeechLM.from_pretrained(on_features, **encoder)
    for call in (without.segment, without.embed):
        with pytest.raises(ValueError, match=r"segments need an aligner: from_pretrained\("):
            call(wav)
    beep_aligner.textless = False
    forced = SpeechLM.from_pretrained(on_features, aligner=beep_aligner, **encoder)
    assert len(forced.embed(wav, "ab c")) == 5
    with pytest.raises(ValueError, match="BeepAligner needs transcripts: give the text"):
        forced.embed(wav)


def test_connectors_without_segments_need_no_aligner(make_experiment, sound, wav):
    options = ["--encoder", "tiny", "--encoder_conf", "output_size=8"]
    cif = ["--connector_conf", "num_heads=2", "--connector_conf", "num_layers=1"]
    checkpoint = make_experiment(*options, "--connector", "cif", *cif)
    cif = SpeechLM.from_pretrained(checkpoint)
    # It is told the number of tokens where there is a transcript.
    assert len(cif.embed(wav, "ab c")) == 5
    assert len(cif.embed(sound(50.0, (1, 2)))) > 1
    with pytest.raises(ValueError, match="segments need an aligner"):
        cif.segment(wav)


def test_an_aligner_takes_features_of_its_own(on_features, encoder, ctc_checkpoint, wav):
    options = {"aligner": ctc_checkpoint, **encoder}
    lm = SpeechLM.from_pretrained(on_features, **options)
    found = lm.segment(wav, "hi hi")
    assert len(lm.embed(wav, "hi hi")) == len(found.token_end) == 6
    other = SpeechLM.from_pretrained(on_features, aligner_encoder_conf={"seed": 3}, **options)
    assert other.segment(wav, "hi hi") != found
    torch.testing.assert_close(
        other.listener._aligner_encoder.projection,
        SpeechLM.from_pretrained(
            on_features, **{**options, "encoder_conf": {"output_size": 8, "seed": 3}}
        ).listener._encoder.projection,
    )


def test_tokens_without_a_space_before_the_first_word(on_features, encoder, beep_aligner, wav):
    lm = SpeechLM.from_pretrained(on_features, aligner=beep_aligner, prefix_space=False, **encoder)
    assert len(lm.embed(wav, "ab c")) == 4


RAW = ["--encoder", "tiny", "--encoder_conf", "output_size=8"]
CIF = ["--connector", "cif", "--connector_conf", "num_heads=2", "--connector_conf", "num_layers=1"]


@pytest.mark.parametrize("options", [["--input_size", "8"], RAW, [*RAW, *CIF]])
@pytest.mark.parametrize("text", ["ab c", None])
def test_long_pauses_are_not_heard(options, text, make_experiment, encoder, beep_aligner, sound):
    checkpoint = make_experiment(*options)
    given = {"aligner": beep_aligner, **(encoder if options[0] == "--input_size" else {})}
    wav = sound(2.6, (0.5, 0.9), (1.5, 1.9))
    short = np.concatenate([wav[6400:14400], wav[22400:32000]])  # 0.4 to 0.9 s, 1.4 to 2 s
    plain = SpeechLM.from_pretrained(checkpoint, **given)
    cuts = SpeechLM.from_pretrained(checkpoint, max_pause=0.1, **given)
    torch.testing.assert_close(cuts.embed(wav, text), plain.embed(short, text))
    assert cuts.segment(wav, text) == plain.segment(wav, text)
    silence = np.zeros(16000, dtype=np.float32)
    torch.testing.assert_close(cuts.embed(silence), plain.embed(silence))


def test_cutting_pauses_needs_an_aligner(make_experiment, wav):
    lm = SpeechLM.from_pretrained(make_experiment(*RAW, *CIF), max_pause=0.1)
    with pytest.raises(ValueError, match="segments need an aligner"):
        lm.embed(wav)
