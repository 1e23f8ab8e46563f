"""Stage 3: what becomes of audio, and each reason to leave an utterance out."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from espnet_ssr.data.format import (
    AudioFormat,
    DropUtterance,
    Recording,
    complete_data_dir,
    describe_causes,
    describe_input,
    format_utterances,
    read_recording,
    read_recordings,
    write_audio,
)
from espnet_ssr.datadir import read_keyed, write_keyed, write_lines
from espnet_ssr.progress import Progress

RATE = 16000


def tone(seconds=0.5, rate=RATE, hertz=440.0, amplitude=0.5):
    """A sine tone."""
    return amplitude * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def write(path, samples, rate=RATE, **options):
    soundfile.write(path, samples, rate, **options)
    return path


def cut(path, keep=0.6):
    """Keep the first part of a file."""
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content))])
    return path


def write_open_ended_flac(path):
    """A flac file as an encoder leaves it that cannot go back: 0 for the number of samples."""
    content = bytearray(write(path, tone()).read_bytes())
    content[21] &= 0xF0  # 36 bits at the end of bytes 18 to 25
    content[22:26] = bytes(4)
    path.write_bytes(content)
    return path


def test_same_rate_is_exact(tmp_path):
    path = write(tmp_path / "a.wav", tone(), subtype="FLOAT")
    read = read_recording(Recording(str(path)), RATE)
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, tone().astype(np.float32))


@pytest.mark.parametrize("rate", [8000, 44100, 48000, 22050])
def test_resampling_keeps_the_tone(tmp_path, rate):
    path = write(tmp_path / "a.wav", tone(rate=rate), rate, subtype="FLOAT")
    read = read_recording(Recording(str(path)), RATE)
    assert len(read) == RATE // 2
    middle = slice(1000, -1000)  # a filter rings where the tone begins
    np.testing.assert_allclose(read[middle], tone()[middle], atol=2e-3)


def test_channels_are_averaged(tmp_path):
    stereo = np.stack([tone(amplitude=0.5), tone(amplitude=0.25)], axis=1)
    path = write(tmp_path / "a.wav", stereo, subtype="FLOAT")
    read = read_recording(Recording(str(path)), RATE)
    np.testing.assert_allclose(read, tone(amplitude=0.375), atol=1e-6)


@pytest.mark.parametrize("speed", [0.5, 0.9, 1.1, 1.25])
@pytest.mark.parametrize("rate", [RATE, 44100])
def test_speed_changes_tempo_and_pitch(tmp_path, rate, speed):
    path = write(tmp_path / "a.wav", tone(rate=rate), rate, subtype="FLOAT")
    read = read_recording(Recording(str(path), speed=speed), RATE)
    assert len(read) == pytest.approx(0.5 * RATE / speed, abs=0.5)
    middle = slice(1000, -1000)
    expected = tone(0.5 / speed, hertz=440.0 * speed)
    np.testing.assert_allclose(read[middle], expected[middle], atol=2e-3)


def test_speed_of_a_segment(tmp_path):
    path = write(tmp_path / "a.wav", np.concatenate([tone(hertz=200.0), tone()]))
    read = read_recording(Recording(str(path), 0.5, 0.9, speed=1.25), RATE)
    assert len(read) == 0.4 * RATE / 1.25
    middle = slice(1000, -1000)
    np.testing.assert_allclose(read[middle], tone(0.32, hertz=550.0)[middle], atol=2e-3)


@pytest.mark.parametrize(
    ("start", "end", "first", "last"),
    [
        (0.1, 0.3, 1600, 4800),
        (0.0, 0.5, 0, 8000),
        (0.1, None, 1600, 8000),
        (0.1, 0.505, 1600, 8000),  # times are often rounded
    ],
)
def test_segment(tmp_path, start, end, first, last):
    path = write(tmp_path / "a.wav", tone(), subtype="FLOAT")
    read = read_recording(Recording(str(path), start, end), RATE)
    np.testing.assert_array_equal(read, tone().astype(np.float32)[first:last])


@pytest.mark.parametrize(
    ("start", "end", "cause"),
    [
        (0.1, 0.52, "segment_past_end"),
        (0.6, 0.8, "segment_past_end"),
        (0.501, 0.509, "segment_past_end"),
        (0.3, 0.1, "bad_segment"),
        (0.2, 0.2, "bad_segment"),
        (-0.1, 0.2, "bad_segment"),
        (0.1, -1.0, "bad_segment"),
    ],
)
def test_impossible_segment(tmp_path, start, end, cause):
    path = write(tmp_path / "a.wav", tone())
    with pytest.raises(DropUtterance) as drop:
        read_recording(Recording(str(path), start, end), RATE)
    assert drop.value.args[0] == cause


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_samples_that_are_no_numbers(tmp_path, bad):
    samples = tone()
    samples[100] = bad
    path = write(tmp_path / "a.wav", samples, subtype="FLOAT")
    with pytest.raises(DropUtterance) as drop:
        read_recording(Recording(str(path)), RATE)
    assert drop.value.args == ("not_finite", f"{path} has NaN or infinite samples")
    assert len(read_recording(Recording(str(path), 0.1, 0.2), RATE)) == 1600


@pytest.mark.parametrize(
    ("name", "make", "cause"),
    [
        ("a.wav", lambda path: path, "unreadable_audio"),
        ("a.wav", Path.touch, "unreadable_audio"),
        ("a.wav", lambda path: path.write_text("<html>not found</html>"), "unreadable_audio"),
        ("a.wav", lambda path: cut(write(path, tone())), "truncated_audio"),
        ("a.wav", lambda path: cut(write(path, tone(), subtype="FLOAT"), 0.99), "truncated_audio"),
        ("a.mp3", lambda path: cut(write(path, tone())), "truncated_audio"),
        ("a.flac", lambda path: cut(write(path, tone())), "unreadable_audio"),
        ("a.flac", write_open_ended_flac, "unreadable_audio"),
    ],
)
def test_unusable_file(tmp_path, name, make, cause):
    make(tmp_path / name)
    with pytest.raises(DropUtterance) as drop:
        read_recording(Recording(str(tmp_path / name)), RATE)
    assert drop.value.args[0] == cause
    assert name in drop.value.args[1]


def test_segments_before_the_cut_are_kept(tmp_path):
    path = cut(write(tmp_path / "a.wav", tone()))
    assert len(read_recording(Recording(str(path), 0.0, 0.2), RATE)) == 3200


def format_one_shard(folder, audio, texts=None, **audio_format):
    """Format ``{utt_id: path}``; returns the folder of the shard."""
    shard = folder / "temporary"
    shard.mkdir()
    recordings = {utt_id: Recording(str(path)) for utt_id, path in audio.items()}
    texts = dict.fromkeys(audio, "words") if texts is None else texts
    progress = Progress(len(audio), "formatting")
    final = folder / "final"
    arguments = progress, recordings, texts, AudioFormat(**audio_format)
    format_utterances(list(audio), shard, final, *arguments)
    assert progress.done == len(audio)
    return shard.rename(final)


@pytest.mark.parametrize("suffix", ["flac", "wav"])
def test_formatted_audio(tmp_path, suffix):
    audio = {"x/1": write(tmp_path / "a.wav", tone(rate=8000), 8000)}
    shard = format_one_shard(tmp_path, audio, suffix=suffix)
    path = read_keyed(shard / "wav.scp")["x/1"]
    assert path == str(shard / f"x%2F1.{suffix}")
    info = soundfile.info(path)
    assert (info.samplerate, info.channels, info.subtype) == (RATE, 1, "PCM_16")
    assert info.format == suffix.upper()
    assert read_keyed(shard / "utt2num_samples") == {"x/1": str(info.frames)}
    np.testing.assert_allclose(soundfile.read(path)[0][1000:-1000], tone()[1000:-1000], atol=2e-3)


def test_overshoot_is_clipped_not_wrapped(tmp_path):
    square = np.sign(tone(rate=8000, hertz=441.0)) * 0.999
    shard = format_one_shard(tmp_path, {"a": write(tmp_path / "a.wav", square, 8000)})
    samples = soundfile.read(read_keyed(shard / "wav.scp")["a"])[0]
    overshooting = read_recording(Recording(str(tmp_path / "a.wav")), RATE)
    assert np.abs(overshooting).max() > 1
    np.testing.assert_allclose(samples, np.clip(overshooting, -1, 1), atol=1e-4)


def test_causes(tmp_path):
    audio = {
        "good": write(tmp_path / "good.wav", tone()),
        "no_text": tmp_path / "good.wav",
        "blank_text": tmp_path / "good.wav",
        "no_samples": write(tmp_path / "empty.wav", tone(0)),
        "short": write(tmp_path / "short.wav", tone(0.19)),
        "just_long_enough": write(tmp_path / "enough.wav", tone(0.2)),
        "just_short_enough": write(tmp_path / "most.wav", tone(0.6)),
        "long": write(tmp_path / "long.wav", tone(0.61)),
        "missing": tmp_path / "missing.wav",
    }
    texts = {key: "words" for key in audio if key != "no_text"} | {"blank_text": " \t"}
    shard = format_one_shard(tmp_path, audio, texts, min_seconds=0.2, max_seconds=0.6)
    dropped = read_keyed(shard / "dropped")
    assert {utt_id: reason.split()[0] for utt_id, reason in dropped.items()} == {
        "no_text": "empty_text",
        "blank_text": "empty_text",
        "no_samples": "too_short",
        "short": "too_short",
        "long": "too_long",
        "missing": "unreadable_audio",
    }
    assert dropped["short"] == "too_short 0.19 s < 0.2 s"
    kept = ["good", "just_long_enough", "just_short_enough"]
    assert list(read_keyed(shard / "wav.scp")) == kept
    assert sorted(path.name for path in shard.glob("*.flac")) == [f"{key}.flac" for key in kept]


@pytest.mark.parametrize("has_segments", [False, True])
def test_read_recordings(tmp_path, has_segments):
    write_keyed(tmp_path / "wav.scp", {"r1": "/a b.wav", "r2": "/c.wav"})
    if not has_segments:
        expected = {"r1": Recording("/a b.wav"), "r2": Recording("/c.wav")}
    else:
        write_keyed(tmp_path / "segments", {"u1": "r2 0.5 1.25", "u2": "r1 0 2"})
        expected = {"u1": Recording("/c.wav", 0.5, 1.25), "u2": Recording("/a b.wav", 0.0, 2.0)}
    assert read_recordings(tmp_path) == expected
    for utt_id, recording in expected.items():
        assert read_recordings(tmp_path, {utt_id}) == {utt_id: recording}


@pytest.mark.parametrize("has_segments", [False, True])
def test_read_recordings_of_a_perturbed_set(tmp_path, has_segments):
    write_keyed(tmp_path / "wav.scp", {"u": "/r.wav", "sp0.9-u": "/r.wav"})
    write_keyed(tmp_path / "utt2speed", {"u": "1.0", "sp0.9-u": "0.9"})
    where = ("/r.wav",)
    if has_segments:
        write_keyed(tmp_path / "wav.scp", {"r": "/r.wav"})
        write_keyed(tmp_path / "segments", {"u": "r 0.5 2", "sp0.9-u": "r 0.5 2"})
        where = ("/r.wav", 0.5, 2.0)
    recordings = {"u": Recording(*where), "sp0.9-u": Recording(*where, speed=0.9)}
    assert read_recordings(tmp_path) == recordings
    assert describe_input(recordings["u"], "x") != describe_input(recordings["sp0.9-u"], "x")


@pytest.fixture
def data_dir(tmp_path):
    """Three utterances of two speakers."""
    folder = tmp_path / "data"
    folder.mkdir()
    write_keyed(folder / "text", {"a-1": "one", "a-2": "two", "b-1": "three"})
    write_keyed(folder / "utt2spk", {"a-1": "a", "a-2": "a", "b-1": "b"})
    return folder


def test_complete_data_dir(tmp_path, data_dir):
    write_keyed(tmp_path / "wav.scp", {"a-1": "/a", "b-1": "/b"})
    write_keyed(tmp_path / "utt2num_samples", {"a-1": "16000", "b-1": "40000"})
    write_lines(tmp_path / "dropped", ["a-2 too_short 0.05 s < 0.1 s"])
    summary = complete_data_dir(data_dir, tmp_path, RATE)
    assert summary == (
        f"{tmp_path}: kept 2 of 3 utterances, 4 s of audio; dropped: 1 too_short (a-2)"
    )
    assert read_keyed(tmp_path / "text") == {"a-1": "one", "b-1": "three"}
    assert read_keyed(tmp_path / "utt2spk") == {"a-1": "a", "b-1": "b"}
    assert read_keyed(tmp_path / "spk2utt") == {"a": "a-1", "b": "b-1"}


def test_a_perturbed_set_stays_one(tmp_path, data_dir):
    write_keyed(data_dir / "utt2uniq", {"a-1": "a-1", "a-2": "a-2", "b-1": "a-1"})
    write_keyed(data_dir / "utt2speed", {"a-1": "1.0", "a-2": "1.0", "b-1": "0.9"})
    write_keyed(tmp_path / "wav.scp", {"a-1": "/a", "b-1": "/b"})
    write_keyed(tmp_path / "utt2num_samples", {"a-1": "16000", "b-1": "17778"})
    write_lines(tmp_path / "dropped", ["a-2 too_short 0.05 s < 0.1 s"])
    complete_data_dir(data_dir, tmp_path, RATE)
    assert read_keyed(tmp_path / "utt2uniq") == {"a-1": "a-1", "b-1": "a-1"}
    assert read_keyed(tmp_path / "utt2speed") == {"a-1": "1.0", "b-1": "0.9"}


def test_nothing_kept_is_an_error(tmp_path, data_dir):
    write_keyed(tmp_path / "wav.scp", {})
    write_lines(tmp_path / "dropped", ["a-1 too_long x", "a-2 too_long x", "b-1 empty_text x"])
    with pytest.raises(ValueError) as error:
        complete_data_dir(data_dir, tmp_path, RATE)
    assert str(error.value) == (
        f"{data_dir}: no usable utterance; dropped: 1 empty_text (b-1), 2 too_long (a-1, a-2)"
    )


@pytest.mark.parametrize(
    ("dropped", "phrase"),
    [
        ({}, ""),
        ({f"u{i}": "x y" for i in range(3)}, "; dropped: 3 x (u0, u1, u2)"),
        ({f"u{i}": "x y" for i in range(4)}, "; dropped: 4 x (u0, u1, u2, ...)"),
    ],
)
def test_describe_causes(dropped, phrase):
    assert describe_causes(dropped) == phrase


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full, which is a full disk")
@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_a_full_disk_is_named(tmp_path, suffix):
    file = tmp_path / f"utt.{suffix}"
    file.symlink_to("/dev/full")
    with pytest.raises(OSError, match=rf"No space left on device: '.*utt\.{suffix}'"):
        write_audio(file, tone(), RATE)
