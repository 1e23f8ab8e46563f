"""A tiny LLM, a tiny model that hears beeps, and files with beeps."""

import pytest
import soundfile
from experiments import BeepAligner, make_sound

from espnet_ssr import SpeechLM
from espnet_ssr.llm.load import load_language_model
from espnet_ssr.llm.tokenizer import load_tokenizer

TINY = ["--encoder", "tiny", "--encoder_conf", "output_size=8"]


@pytest.fixture(scope="session")
def llm(causal_lm):
    return load_language_model(causal_lm)


@pytest.fixture(scope="session")
def tokenizer(causal_lm):
    return load_tokenizer(causal_lm)


@pytest.fixture(scope="session")
def lm(make_experiment):
    return SpeechLM.from_pretrained(make_experiment(*TINY), aligner=BeepAligner())


@pytest.fixture(scope="session")
def beeps(tmp_path_factory):
    """A function from a number of words to a file with as many beeps."""
    folder = tmp_path_factory.mktemp("beeps")

    def make(words):
        file = folder / f"{words}.wav"
        if not file.is_file():
            spans = [(0.2 + 0.4 * n, 0.4 + 0.4 * n) for n in range(words)]
            soundfile.write(file, make_sound(0.4 * words + 0.4, *spans), 16000)
        return str(file)

    return make
