"""Real speech for training: how much of it, and of whom."""

import numpy as np
import pytest
import soundfile

from espnet_ssr.datadir import Utterance, read_keyed, write_data_dir, write_keyed
from espnet_ssr.recipes import CorpusError
from espnet_ssr.recipes.real_speech import draw_speakers, read_set, take_hours, write_training
from espnet_ssr.recipes.truecase import Truecaser

RATE = 1000


@pytest.fixture
def corpus(tmp_path):
    """Four utterances of a second each, of two speakers."""
    wav = tmp_path / "a.wav"
    soundfile.write(wav, np.zeros(RATE), RATE)
    utterances = {
        f"{speaker}-{number}": Utterance(str(wav), "one cat", speaker, 1.0)
        for speaker in ("ann", "bob")
        for number in range(2)
    }
    write_data_dir(tmp_path / "set", utterances)
    return tmp_path / "set"


def test_transcripts_are_natural_or_normalized(corpus):
    write_keyed(corpus / "written", {"ann-0": "1 cat?"})
    natural = read_set(corpus, Truecaser([]))
    assert natural["ann-0"].text == "one cat?"
    assert natural["bob-0"].text == "One cat."
    assert read_set(corpus, None)["ann-0"].text == "one cat"
    assert natural["bob-1"].seconds == 1


def test_audio_that_cannot_be_read_is_named(corpus):
    write_keyed(corpus / "wav.scp", {key: "nowhere.wav" for key in read_keyed(corpus / "text")})
    with pytest.raises(CorpusError, match=f"{corpus}: ann-0: .*nowhere"):
        read_set(corpus, None)


def test_fewer_hours_are_a_part_of_more(corpus):
    utterances = read_set(corpus, None)
    one, two = take_hours(utterances, 1.5 / 3600), take_hours(utterances, 2 / 3600)
    assert len(one) == 1 and len(two) == 2 and one.items() <= two.items()
    assert take_hours(utterances, 9) == utterances


def test_speakers_that_are_left_out(corpus):
    utterances = read_set(corpus, None)
    (left_out,) = draw_speakers(utterances, 1)
    assert left_out in ("ann", "bob")
    with pytest.raises(CorpusError, match="2 speakers: 2 of them"):
        draw_speakers(utterances, 2)


def test_training_set_of_several_corpora(corpus, tmp_path):
    made = write_training([corpus], tmp_path / "real", 3 / 3600, None)
    assert made == f"{tmp_path / 'real'}: 3 utterances, 2 speakers, 0.00 hours"
    assert set(read_keyed(tmp_path / "real" / "utt2dur").values()) == {"1.000"}
    with pytest.raises(CorpusError, match="ann-0 is in another corpus"):
        write_training([corpus, corpus], tmp_path / "real", 1, None)
