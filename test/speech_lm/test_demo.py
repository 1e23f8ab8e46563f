"""What the demo's page shows, and the messages instead."""

import numpy as np
import pytest
import soundfile

from espnet_ssr import SpeechLM
from espnet_ssr.speech_lm.demo import COLUMNS, Demo
from espnet_ssr.task.lm import SSRLMTask

CHAT = "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}[you]"


@pytest.fixture(scope="module")
def demo(lm):
    return Demo(lm)


@pytest.fixture
def save(tmp_path):
    """A function that writes samples into a file."""

    def write(samples, rate=16000):
        soundfile.write(tmp_path / "a.wav", samples, rate, subtype="FLOAT")
        return str(tmp_path / "a.wav")

    return write


@pytest.fixture
def path(save, sound):
    return save(sound(1.2, (0.2, 0.4), (0.6, 1.0)))


def last(texts):
    *_, text = texts
    return text


def test_what_is_heard(demo, path, lm, sound):
    picture, guess, nearest, likely = demo.listen(path)
    assert guess == "hi hi"
    tokens = lm.nearest(lm.embed(sound(1.2, (0.2, 0.4), (0.6, 1.0))))
    assert nearest == "".join(tokens).strip()
    spectrum, tiers = picture.axes
    assert [line.get_xdata()[0] for line in spectrum.lines] == [0.4, 1.0]
    assert [text.get_text() for text in tiers.texts][2:] == ["hi", "hi"]
    assert not demo.has_posteriors
    assert likely == []


def test_likely_tokens_of_a_head_that_has_them(hull_lm, path, sound):
    demo = Demo(hull_lm)
    assert demo.has_posteriors
    picture, *_, rows = demo.listen(path)
    _, posteriors = hull_lm.embed(sound(1.2, (0.2, 0.4), (0.6, 1.0)), nbest=5)
    assert [row[0] for row in rows] == ["0.40", "1.00"]
    assert {len(row) for row in rows} == {len(COLUMNS)}
    for row, ids, probabilities, entropy in zip(rows, *posteriors, strict=True):
        likely = [f"{hull_lm.spell(ids)[n]} {probabilities[n]:.2f}" for n in range(5)]
        assert row[1:-1] == likely
        assert row[-1] == f"{entropy:.2f}"
    assert [text.get_text() for text in picture.axes[1].texts][4:] == [row[-1] for row in rows]


def test_stereo_of_another_rate(demo, save, sound):
    samples = sound(1.2, (0.2, 0.4), (0.6, 1.0))
    assert demo.listen(save(np.stack([samples, samples], 1), 8000))[1] == "hi hi"


def test_texts_grow(demo, path, lm, sound, monkeypatch):
    monkeypatch.setattr("espnet_ssr.speech_lm.demo.MAX_ANSWER", 9)
    wav = sound(1.2, (0.2, 0.4), (0.6, 1.0))
    texts = list(demo.transcribe(path))
    assert texts[-1] == lm.generate(lm.prompts["transcribe"], [wav], max_tokens=9).strip()
    assert all(b.startswith(a) for a, b in zip(texts, texts[1:], strict=False))
    for question, prompt in [("Who?", "<speech>\nWho?"), ("Is <speech> so?", "Is <speech> so?")]:
        expected = lm.generate(f"{prompt}\nAnswer:", [wav], max_tokens=9).strip()
        assert last(demo.answer(path, question)) == expected
    monkeypatch.setattr(lm.tokenizer, "chat_template", CHAT)
    expected = lm.chat([{"role": "user", "content": "<speech>\nWho?"}], [wav], max_tokens=9)
    assert last(demo.answer(path, "Who?")) == expected.strip()


def test_messages(demo, save, sound, tmp_path):
    for method in (demo.listen, demo.transcribe, lambda path: demo.answer(path, "Who?")):
        with pytest.raises(ValueError, match="^Record or upload some speech first"):
            method(None)
    with pytest.raises(ValueError, match="^Ask something first"):
        demo.answer(save(sound(1, (0, 1))), " ")
    with pytest.raises(ValueError, match="2 <speech> for 1 utterances"):
        demo.answer(save(sound(1, (0, 1))), "<speech> or <speech>?")
    with pytest.raises(ValueError, match="^No words are heard"):
        demo.listen(save(sound(1)))
    with pytest.raises(ValueError, match="^This file: the audio is empty"):
        demo.listen(save(np.zeros(0)))
    with pytest.raises(ValueError, match="^That is 61 s; this page takes 60 s at most"):
        demo.listen(save(np.zeros(61 * 100), 100))
    (tmp_path / "a.wav").write_text("no audio")
    with pytest.raises(ValueError, match="^This file: unreadable_audio"):
        demo.listen(str(tmp_path / "a.wav"))


def test_which_model_it_is(demo, make_experiment, encoder, beep_aligner):
    assert "never trained on speech" in demo.about()
    assert "Connector: `mean`" in demo.about()
    tuned = make_experiment("--input_size", "8", "--finetune", "vanilla", task=SSRLMTask)
    lm = SpeechLM.from_pretrained(tuned, aligner=beep_aligner, **encoder)
    assert "fine-tuned on speech" in Demo(lm).about()


def test_connectors_without_segments_are_refused(make_experiment, encoder, beep_aligner):
    options = ("--connector", "stack", "--connector_conf", "hidden_size=8", "--input_size", "8")
    lm = SpeechLM.from_pretrained(make_experiment(*options, task=SSRLMTask), None, **encoder)
    with pytest.raises(ValueError, match="shows segments"):
        Demo(lm)
