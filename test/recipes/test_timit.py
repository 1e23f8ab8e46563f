"""Preparation of a miniature TIMIT in the layout of LDC93S1, whole and damaged."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from mini_recipe import ENCODER, LLM, TEMPLATE, Recipe, choose_prompts

from espnet_ssr.align.alignment import read_ctm
from espnet_ssr.data.validate import check_data_dir
from espnet_ssr.datadir import read_keyed
from espnet_ssr.recipes.timit import (
    CORE_TEST_SPEAKERS,
    DEV_SPEAKERS,
    CorpusError,
    describe,
    fit_times,
    normalize_word,
    prepare_timit,
)

RECIPE = Path(__file__).parents[2] / "egs2" / "timit" / "ssr1"
RATE = 16000
NUM_SAMPLES = 2 * RATE
# Of train, of dev, of the core test set, of the complete test set only.
SPEAKERS = {"TRAIN/DR1/FCJF0", "TEST/DR1/FAKS0", "TEST/DR1/MDAB0", "TEST/DR4/FSSB0"}
SENTENCES = ("SA1", "SI648", "SX37")
WRD = "2400 5600 She\n5600 9000 had\n8600 12000 your\n13000 20000 x-ray\n20000 28000 y'all\n"
PHN = "0 2400 h#\n2400 4000 sh\n4000 5600 iy\n5600 9000 hv\n8600 28000 axr\n28000 33000 h#\n"


def nist_header(num_samples, coding="pcm"):
    """A SPHERE header as TIMIT's, which has no ``sample_coding``."""
    fields = {
        "database_id -s5": "TIMIT",
        "channel_count -i": 1,
        "sample_count -i": num_samples,
        "sample_rate -i": RATE,
        "sample_n_bytes -i": 2,
        "sample_byte_format -s2": "01",
        "sample_sig_bits -i": 16,
    }
    if coding != "pcm":
        fields[f"sample_coding -s{len(coding)}"] = coding
    lines = ["NIST_1A", "   1024", *(f"{name} {value}" for name, value in fields.items())]
    return "\n".join([*lines, "end_head\n"]).encode().ljust(1024)


def write_sphere(path, samples, coding="pcm"):
    path.write_bytes(nist_header(len(samples), coding) + samples.astype("<i2").tobytes())


def tone(num_samples=NUM_SAMPLES):
    return (8000 * np.sin(np.arange(num_samples) / 20)).astype(np.int16)


@pytest.fixture
def corpus(tmp_path):
    """A folder in which TIMIT/TRAIN and TIMIT/TEST are."""
    folder = tmp_path / "LDC93S1"
    for speaker in SPEAKERS:
        (folder / "TIMIT" / speaker).mkdir(parents=True)
        for name in SENTENCES:
            stem = folder / "TIMIT" / speaker / name
            write_sphere(stem.with_suffix(".WAV"), tone())
            stem.with_suffix(".WRD").write_text(WRD)
            stem.with_suffix(".PHN").write_text(PHN)
            stem.with_suffix(".TXT").write_text(f"0 {NUM_SAMPLES} She had your x-ray, y'all.\n")
    (folder / "TIMIT" / "DOC").mkdir()
    (folder / "TIMIT" / "DOC" / "SPKRINFO.TXT").write_text("not a sentence\n")
    return folder


def train_file(corpus, name="SX37.WAV"):
    """A file of the training speaker."""
    return corpus / "TIMIT" / "TRAIN" / "DR1" / "FCJF0" / name


def prepare(corpus):
    return prepare_timit(corpus, corpus.parent / "data")


def lower_names(folder):
    """Make all names below a folder lower case."""
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rename(path.with_name(path.name.lower()))


def test_whole_corpus(corpus):
    prepared = prepare(corpus)
    data = corpus.parent / "data"
    expected = {
        "train": {"fcjf0"},
        "dev": {"faks0"},
        "test": {"mdab0"},
        "test_full": {"faks0", "fssb0", "mdab0"},
    }
    for name, speakers in expected.items():
        ids = {f"{s}-{sentence}" for s in speakers for sentence in ("si648", "sx37")}
        assert prepared.sets[name].keys() == ids
        assert check_data_dir(data / name) == []
        assert read_keyed(data / name / "text") == dict.fromkeys(
            sorted(ids), "she had your x-ray y'all"
        )
        assert read_keyed(data / name / "spk2utt").keys() == speakers
        assert list(read_ctm(data / name / "word.ctm")) == sorted(ids)
    assert (data / "dropped").read_text() == ""
    assert sorted(p.name for p in data.iterdir()) == sorted([*expected, "dropped"])
    lines = describe(prepared).splitlines()
    assert lines[0].startswith("train     1 of 462 speakers, 2 of 3696 sentences, 0.00 hours, 10")
    assert lines[-1] == "left out 0"


def test_true_times(corpus):
    prepared = prepare(corpus)
    folder = corpus.parent / "data" / "train"
    words = read_ctm(folder / "word.ctm")["fcjf0-sx37"].spans
    # "had" and "your" overlap by 25 ms and meet in the middle.
    assert [(s.label, s.start, s.end) for s in words] == [
        ("she", 0.15, 0.35),
        ("had", 0.35, 0.55),
        ("your", 0.55, 0.75),
        ("x-ray", 0.812, 1.25),
        ("y'all", 1.25, 1.75),
    ]
    phones = read_ctm(folder / "phone.ctm", "phone")["fcjf0-sx37"].spans
    assert [s.label for s in phones] == ["sh", "iy", "hv", "axr"]  # no silence
    assert prepared.sets["train"]["fcjf0-sx37"].moved == 4


def test_audio_can_be_read(corpus):
    prepare(corpus)
    for path in read_keyed(corpus.parent / "data" / "train" / "wav.scp").values():
        assert Path(path).is_absolute()
        samples, rate = soundfile.read(path, dtype="int16")
        assert rate == RATE
        np.testing.assert_array_equal(samples, tone())


def test_lower_case_names_give_the_same(corpus):
    prepare(corpus)
    data = corpus.parent / "data"
    before = {p.relative_to(data): p.read_text() for p in data.rglob("*") if p.is_file()}
    lower_names(corpus)
    prepare(corpus)
    for name, text in before.items():
        assert (data / name).read_text().lower() == text.lower()


@pytest.mark.parametrize(
    ("suffix", "has_sphere"),
    [(".wav", False), (".WAV", False), (".WAV.wav", False), (".WAV.wav", True)],
)
def test_riff(corpus, suffix, has_sphere):
    if not has_sphere:
        train_file(corpus).unlink()
    riff = train_file(corpus, f"SX37{suffix}")
    soundfile.write(riff, tone(), RATE, format="WAV")
    prepare(corpus)
    assert read_keyed(corpus.parent / "data" / "train" / "wav.scp")["fcjf0-sx37"] == str(riff)


@pytest.mark.parametrize("levels", [0, 1, 2])
def test_corpus_may_lie_deeper(corpus, levels):
    folder = [corpus / "TIMIT", corpus, corpus.parent][levels]
    assert prepare_timit(folder, corpus.parent / "data").dropped == {}


@pytest.mark.parametrize(
    ("name", "content", "cause", "details"),
    [
        ("WAV", None, "no_wav", "FCJF0"),
        ("WRD", None, "no_wrd", "FCJF0"),
        ("PHN", None, "no_phn", "FCJF0"),
        ("WAV", b"", "empty_audio", "SX37.WAV"),
        ("WAV", b"nonsense" * 1000, "unreadable_audio", "SX37.WAV"),
        ("WAV", nist_header(0), "empty_audio", "SX37.WAV"),
        ("WAV", nist_header(NUM_SAMPLES) + bytes(RATE), "truncated_audio", "8000 of 32000"),
        ("WAV", nist_header(NUM_SAMPLES)[:500], "unreadable_audio", "SX37.WAV"),
        ("WAV", nist_header("abc") + bytes(8), "past_end", "SX37.WAV"),
        ("WAV", nist_header(RATE) + bytes(2 * RATE), "past_end", "SX37.WRD"),
        ("WRD", b"", "bad_words", "SX37.WRD"),
        ("WRD", b"0 100 she\n100 200 --\n", "bad_words", "SX37.WRD"),
        ("WRD", b"0 100\n", "bad_times", "SX37.WRD:1"),
        ("WRD", b"0 100 she\n-5 200 had\n", "bad_times", "SX37.WRD:2"),
        ("WRD", b"0 100 she\n\n100 200 had\n", "bad_times", "SX37.WRD:2"),
        ("WRD", b"0 100 she\n300 200 had\n", "bad_times", "SX37.WRD:2"),
        ("WRD", b"0 900 she\n100 200 had\n", "bad_times", "SX37.WRD:2"),
        ("WRD", b"100 200 she\n0 300 had\n", "bad_times", "SX37.WRD:2"),
        ("WRD", "0 100 she\n".encode("utf-16"), "bad_times", "SX37.WRD:1"),
        ("PHN", b"\x00\xff\n", "bad_times", "SX37.PHN:1"),
    ],
)
def test_damaged_sentence_is_left_out(corpus, name, content, cause, details):
    path = train_file(corpus, f"SX37.{name}")
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    prepared = prepare(corpus)
    assert prepared.dropped.keys() == {"fcjf0-sx37"}
    found = prepared.dropped["fcjf0-sx37"]
    assert found[0] == cause
    assert details in found[1]
    assert "\n" not in found[1]
    assert (corpus.parent / "data" / "dropped").read_text() == f"fcjf0-sx37 {' '.join(found)}\n"
    assert prepared.sets["train"].keys() == {"fcjf0-si648"}
    assert f"left out 1: 1 {cause} (" in describe(prepared)


def test_folder_in_place_of_a_file(corpus):
    path = train_file(corpus, "SX37.WRD")
    path.unlink()
    path.mkdir()
    assert prepare(corpus).dropped["fcjf0-sx37"][0] == "unreadable"


def test_other_rate_is_left_out(corpus):
    soundfile.write(train_file(corpus, "SX37.WAV.wav"), tone(), 8000, format="WAV")
    assert prepare(corpus).dropped["fcjf0-sx37"][0] == "wrong_rate"


def test_times_past_the_end_are_cut(corpus):
    train_file(corpus, "SX37.WRD").write_text(f"0 100 she\n100 {NUM_SAMPLES + 500} had\n")
    sentence = prepare(corpus).sets["train"]["fcjf0-sx37"]
    assert sentence.words.spans[-1].end == NUM_SAMPLES / RATE


def test_compressed_sphere_is_refused(corpus):
    path = train_file(corpus)
    write_sphere(path, tone(), "pcm,embedded-shorten-v2.00")
    with pytest.raises(CorpusError, match=f"{path}: .*shorten.*sph2pipe"):
        prepare(corpus)
    assert not (corpus.parent / "data").exists()


@pytest.mark.parametrize(
    ("remove", "message"),
    [
        (".", "no such folder"),
        ("TIMIT", "expected files such as .*/TIMIT/TRAIN/DR1/FCJF0/SX37.WAV"),
        ("TIMIT/TEST", r"side by side .*\(only .*/TRAIN\)"),
        ("TIMIT/TRAIN/DR1", "TRAIN: no sentence below it"),
        ("TIMIT/TEST/DR1/MDAB0", "no sentence for the set test; left out 0"),
    ],
)
def test_missing_folder(corpus, remove, message):
    shutil.rmtree(corpus / remove)
    with pytest.raises(CorpusError, match=message):
        prepare(corpus)
    assert not (corpus.parent / "data").exists()


def test_all_sentences_bad_names_the_cause(corpus):
    for path in corpus.rglob("*.PHN"):
        path.unlink()
    with pytest.raises(CorpusError, match=r"for the set train; left out 8: 8 no_phn \("):
        prepare(corpus)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("She", "she"),
        ("Y'all", "y'all"),
        ("x-ray", "x-ray"),
        ("-em,", "em"),
        ("o'clock.", "o'clock"),
    ],
)
def test_normalize_word(word, expected):
    assert normalize_word(word) == expected


pairs = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=8)


@given(pairs, st.integers(0, 60))
def test_fitted_times_are_in_order_and_inside(pairs, num_samples):
    begins, ends = sorted(min(p) for p in pairs), sorted(max(p) for p in pairs)
    times = [(b, e, "x") for b, e in zip(begins, ends, strict=True)]
    fitted, moved = fit_times(times, num_samples)
    flat = [time for begin, end, _ in fitted for time in (begin, end)]
    assert flat == sorted(flat)
    assert not flat or flat[-1] <= num_samples
    changed = [old for old, new in zip(times, fitted, strict=True) if old != new]
    assert moved == len(changed)
    if moved == 0:
        assert fitted == times


def test_lists_of_speakers():
    dev, core = DEV_SPEAKERS.split(), CORE_TEST_SPEAKERS.split()
    assert (len(set(dev)), len(set(core))) == (50, 24)
    assert not set(dev) & set(core)
    # The core test set has two men and a woman of each of the eight dialects.
    assert sum(speaker.startswith("f") for speaker in core) == 8


def data_sh(db, tmp_path):
    """Run local/data.sh of the recipe with these lines as db.sh."""
    (tmp_path / "db.sh").write_text(db)
    (tmp_path / "local").symlink_to(RECIPE / "local")
    environment = {
        **os.environ,
        "PATH": f"{RECIPE.parents[2] / 'utils'}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(RECIPE.parents[2]),
    }
    return subprocess.run(
        ["local/data.sh", "--data_dir", tmp_path / "made"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_data_sh(corpus, tmp_path):
    done = data_sh(f"TIMIT={corpus}\n", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "left out 0\n" in done.stdout
    assert (tmp_path / "made" / "test_full" / "word.ctm").is_file()


@pytest.mark.parametrize(
    ("db", "message"),
    [("TIMIT=\n", "set TIMIT in db.sh"), ("TIMIT=/nowhere\n", "/nowhere: no such folder")],
)
def test_data_sh_without_the_corpus(tmp_path, db, message):
    done = data_sh(db, tmp_path)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_recipe(tmp_path, asterisk_data, installed_model):
    installed_model(ENCODER)
    installed_model(LLM)
    corpus, folder = tmp_path / "timit", tmp_path / "recipe"
    prompts = iter(choose_prompts(asterisk_data / "train", 8, 1, 3, min_words=3).values())
    for speaker in sorted(SPEAKERS):
        (corpus / speaker.lower()).mkdir(parents=True)
        for name in ("si1", "sx2"):
            write_sentence(corpus / speaker.lower() / name, next(prompts))
    subprocess.run([TEMPLATE / "setup.sh", folder], check=True, stdout=subprocess.DEVNULL)
    shutil.copy(RECIPE / "run.sh", folder)
    shutil.copytree(RECIPE / "local", folder / "local", dirs_exist_ok=True)
    (folder / "db.sh").write_text(f"TIMIT={corpus}\n")
    recipe = Recipe(folder)
    recipe.run("--stop_stage", "1").must_succeed()
    # One set is enough from here on.
    recipe.run("--train_set", "test", "--valid_set", "test", "--test_sets", "test").must_succeed()
    report = json.loads((recipe / "dump/test/align_hmm/report.json").read_text())
    truth = (recipe / "data/test/word.ctm").read_text().splitlines()
    assert report["boundary_errors"]["words"] == len(truth)
    assert (recipe / f"dump/test/seg_hmm_{LLM}/token_end").is_file()
    assert not (recipe / "exp").exists()


def write_sentence(stem, prompt):
    """A prompt as TIMIT has its sentences; its words share its time equally."""
    samples, _ = soundfile.read(prompt.wav, dtype="int16")
    write_sphere(stem.with_suffix(".wav"), samples)
    words = prompt.text.split()
    edges = np.linspace(0, len(samples), len(words) + 1).astype(int)
    lines = [f"{b} {e} {w}\n" for b, e, w in zip(edges, edges[1:], words, strict=False)]
    for suffix in (".wrd", ".phn"):
        stem.with_suffix(suffix).write_text("".join(lines))
