"""A tiny model, and an aligner that hears a word in every beep."""

import pytest
from experiments import HULL, BeepAligner, make_sound, save_ctc_aligner

from espnet_ssr import SpeechLM


@pytest.fixture(scope="session")
def sound():
    return make_sound


@pytest.fixture
def beep_aligner():
    return BeepAligner()


@pytest.fixture(scope="session")
def encoder():
    """Options that say which encoder a connector's features came from."""
    return {"encoder": "tiny", "encoder_conf": {"output_size": 8}}


@pytest.fixture(scope="session")
def on_features(make_experiment):
    """The checkpoint of a distilled connector that was trained on extracted features."""
    return make_experiment("--input_size", "8")


@pytest.fixture(scope="session")
def with_hull(make_experiment):
    """The checkpoint of a distilled connector with a hull head, trained on extracted features."""
    return make_experiment("--input_size", "8", *HULL)


@pytest.fixture(scope="session")
def hull_lm(with_hull, encoder):
    return SpeechLM.from_pretrained(with_hull, aligner=BeepAligner(), **encoder)


@pytest.fixture(scope="session")
def lm(on_features, encoder):
    return SpeechLM.from_pretrained(on_features, aligner=BeepAligner(), **encoder)


@pytest.fixture(scope="session")
def ctc_checkpoint(tmp_path_factory):
    """The checkpoint of an untrained CTC aligner of the tiny encoder's features."""
    return save_ctc_aligner(tmp_path_factory.mktemp("aligner"))
