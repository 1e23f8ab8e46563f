"""Any command as a voice."""

import sys

import numpy as np
import pytest

from espnet_ssr.tts import command
from espnet_ssr.tts.command import Command
from espnet_ssr.tts.voice import Refused

PROGRAM = """
import sys, numpy, soundfile
text = open(sys.argv[1], encoding="utf-8").read()
if "fail" in text:
    sys.exit("what a pity")
if "nothing" not in text:
    soundfile.write(sys.argv[2], numpy.full(len(text) * 800, 0.5), 8000 + 8000 * int(sys.argv[3]))
"""


@pytest.fixture
def template(tmp_path):
    program = tmp_path / "my tts.py"
    program.write_text(PROGRAM)
    return f" {sys.executable} '{program}' {{text_file}} {{wav_file}} {{seed}}"


def test_text_goes_in_and_speech_comes_out_at_the_cache_s_rate(template):
    voice = Command(template)
    reading = voice.read("It's $(so); `x`".replace("$(so); `x`", "so"))
    speech = voice.speak(reading)
    assert len(speech.samples) == len("It's so") * 1600 and speech.words is None
    assert np.abs(speech.samples).max() == pytest.approx(16383, rel=0.2)
    assert len(voice.speak(reading, seed=1).samples) == len("It's so") * 800


def test_name_and_version_tell_commands_apart(template):
    one, two = Command(template), Command(template + " --fast")
    assert one.name != two.name and one.name.startswith("python")
    assert one.version != two.version


@pytest.mark.parametrize(("text", "said"), [("fail", "what a pity"), ("nothing", "speech.wav")])
def test_failure_is_that_of_the_text(template, text, said):
    voice = Command(template)
    with pytest.raises(Refused, match=said) as caught:
        voice.speak(voice.read(text))
    assert caught.value.cause == "command_failed"


def test_command_that_does_not_end(monkeypatch):
    monkeypatch.setattr(command, "TIMEOUT_SECONDS", 0.1)
    voice = Command("sh -c 'sleep 20' {text_file} {wav_file}")
    with pytest.raises(Refused, match="not done after 0.1 s"):
        voice.speak(voice.read("Go."))


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("sh {text_file}", "no {wav_file} among its arguments"),
        ("no-such-program {text_file} {wav_file}", "no-such-program: no such program"),
        ("", "no {text_file}"),
    ],
)
def test_bad_template(template, message):
    with pytest.raises(ValueError, match=message):
        Command(template)
