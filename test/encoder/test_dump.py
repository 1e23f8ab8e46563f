"""Feature extraction: batches of like length, archives equal to single utterances."""

from functools import partial
from pathlib import Path

import kaldiio
import numpy as np
import pytest
import soundfile

from espnet_ssr.datadir import read_keyed
from espnet_ssr.encoder import TinyEncoder
from espnet_ssr.encoder import dump as dump_module
from espnet_ssr.encoder.dump import (
    dump_utterances,
    encode_batch,
    real_time_factor,
)
from espnet_ssr.shards import merge_shards, run_shards

SIZES = {"a": 700, "b": 16000, "c": 319, "d": 4001, "e": 16000, "f": 320, "g": 9999}
NAMES = ("feats.scp", "utt2num_frames", "cost")


@pytest.fixture
def audio(tmp_path, monkeypatch):
    """Samples of each utterance of ``wav.scp``, whose paths and folder are relative."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    generator = np.random.default_rng(0)
    samples = {u: generator.uniform(-0.5, 0.5, n).astype(np.float32) for u, n in SIZES.items()}
    for utt_id, x in samples.items():
        soundfile.write(f"{utt_id}.wav", x, TinyEncoder.sample_rate, subtype="FLOAT")
    return samples


def dump(encoder, compression_method=None):
    """Dump in two jobs with shards of two utterances, as stage 6 does."""
    wav_scp = {u: f"{u}.wav" for u in SIZES}
    work = partial(
        dump_utterances, encoder=encoder, wav_scp=wav_scp, batch_seconds=2.0,
        compression_method=compression_method, device="cpu",
    )  # fmt: skip
    keys = list(SIZES)
    for job, part in enumerate((keys[:4], keys[4:]), 1):
        inputs = {u: wav_scp[u] for u in part}
        run_shards(inputs, "feats/shards", job, {}, work, shard_size=2)
    merge_shards("feats/shards", 2, NAMES, "feats")


@pytest.mark.parametrize(
    ("compression_method", "tolerance"), [(None, 1e-6), (2, 0.02)], ids=["float32", "8 bit"]
)
def test_dumped_features_are_those_of_single_utterances(
    audio, tmp_path, monkeypatch, compression_method, tolerance
):
    encoder = TinyEncoder(8)
    dump(encoder, compression_method)
    monkeypatch.chdir(tmp_path)  # the archives must be found from anywhere
    folder = tmp_path / "work" / "feats"
    dumped = kaldiio.load_scp(str(folder / "feats.scp"))
    assert list(dumped) == list(SIZES)
    for utt_id, samples in audio.items():
        expected = encode_batch(encoder, {utt_id: samples})[utt_id]
        assert dumped[utt_id].dtype == np.float32
        np.testing.assert_allclose(dumped[utt_id], expected, rtol=0, atol=tolerance)
    num_frames = {u: str(-(-n // 320)) for u, n in SIZES.items()}
    assert read_keyed(folder / "utt2num_frames") == num_frames


def test_cost_counts_every_second_of_audio(audio):
    dump(TinyEncoder(8))
    costs = np.loadtxt("feats/cost")
    assert len(costs) == 4  # a line a shard
    assert costs[:, 0].sum() == pytest.approx(sum(SIZES.values()) / 16000, abs=4e-3)
    assert (costs[:, 1] > 0).all()


@pytest.mark.parametrize(
    ("lines", "expected"), [("10.0 2.0\n30.0 2.0\n", 0.1), ("4.0 1.0\n", 0.25)]
)
def test_real_time_factor_is_of_the_sums(tmp_path, lines, expected):
    (tmp_path / "cost").write_text(lines)
    assert real_time_factor(tmp_path / "cost") == pytest.approx(expected)


def test_encode_batch_does_not_depend_on_the_batch():
    generator = np.random.default_rng(1)
    audio = {u: generator.uniform(-1, 1, n).astype(np.float32) for u, n in SIZES.items()}
    encoder = TinyEncoder(8)
    together = encode_batch(encoder, audio)
    assert list(together) == list(audio)
    for utt_id, samples in audio.items():
        alone = encode_batch(encoder, {utt_id: samples})[utt_id]
        assert together[utt_id].shape == (-(-len(samples) // 320), 8)
        np.testing.assert_allclose(together[utt_id], alone, rtol=0, atol=1e-6)


def test_audio_of_another_rate_is_refused(audio):
    soundfile.write("b.wav", audio["b"], 8000)
    with pytest.raises(ValueError, match=r"b\.wav: 8000 Hz .* run stage 3"):
        dump(TinyEncoder(8))
    assert not list(Path("feats/shards").glob(".*"))  # nothing half done is left


def test_only_a_batch_is_in_memory(audio, monkeypatch):
    events = []

    def record(name, function):
        def recorded(*args, **options):
            events.append(name)
            return function(*args, **options)

        return recorded

    monkeypatch.setattr(dump_module, "read_audio", record("read", dump_module.read_audio))
    monkeypatch.setattr(dump_module, "encode_batch", record("encode", encode_batch))
    dump(TinyEncoder(8))
    assert events.count("read") == len(SIZES)
    # Shards of two; utterances of a second share no batch of two.
    assert "read read read" not in " ".join(events)
