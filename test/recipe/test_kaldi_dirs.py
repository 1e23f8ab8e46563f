"""Kaldi's own rules for data directories, and lhotse, which reads them as Kaldi does."""

import shutil
import subprocess
import sys
from pathlib import Path

import mini_corpora
import pytest
import soundfile
from kaldi_rules import find_violations
from mini_recipe import copy_recipe
from sounds import write_tone

from espnet_ssr.datadir import Utterance, read_keyed, write_data_dir
from espnet_ssr.recipes.commonvoice import prepare_commonvoice
from espnet_ssr.recipes.imports.collect import Imported, Segment
from espnet_ssr.recipes.imports.sets import write_parts
from espnet_ssr.recipes.imports.wav_txt import import_wav_txt
from espnet_ssr.recipes.librispeech import prepare_librispeech
from espnet_ssr.recipes.ljspeech import prepare_ljspeech
from espnet_ssr.recipes.mls import prepare_mls
from espnet_ssr.recipes.speechocean762 import prepare_speechocean762
from espnet_ssr.recipes.timit import prepare_timit


def prepare_all(corpus: str, folder: Path, data_dir: Path) -> None:
    """Prepare a miniature of a corpus."""
    if corpus == "librispeech":
        mini_corpora.write_librispeech(folder, "dev-clean", range(8, 12))
        prepare_librispeech(folder, "dev-clean", data_dir / "dev")
    elif corpus == "mls":
        # "10" and "100" would be out of order with "_" behind them.
        for speaker in (10, 100):
            mini_corpora.write_mls(folder / "mls_english" / f"part{speaker}", speaker)
            prepare_mls(folder, f"part{speaker}", data_dir / f"{speaker}")
    elif corpus == "commonvoice":
        mini_corpora.write_commonvoice(folder)
        prepare_commonvoice(folder / "en", "train", data_dir / "train")
    elif corpus == "ljspeech":
        prepare_ljspeech(mini_corpora.write_ljspeech(folder), data_dir)
    elif corpus == "speechocean762":
        prepare_speechocean762(mini_corpora.write_speechocean762(folder), data_dir)
    elif corpus == "timit":
        prepare_timit(mini_corpora.write_timit(folder), data_dir)
    elif corpus == "wav_txt":
        parts = {"train": import_wav_txt(mini_corpora.write_wav_txt(folder))}
        write_parts(parts, folder, data_dir, {"valid": 0.1, "test": 0.1})


@pytest.mark.parametrize(
    "corpus",
    ["librispeech", "mls", "commonvoice", "ljspeech", "speechocean762", "timit", "wav_txt"],
)
def test_what_preparations_make(corpus, tmp_path):
    prepare_all(corpus, tmp_path / "corpus", tmp_path / "data")
    sets = [path for path in (tmp_path / "data").iterdir() if path.is_dir()]
    assert sets
    assert {path.name: find_violations(path) for path in sets} == {path.name: [] for path in sets}


def test_asterisk(asterisk_data):
    assert [find_violations(asterisk_data / name) for name in ("train", "valid", "test")] == [
        []
    ] * 3


def test_segments(tmp_path):
    imported = Imported()
    wav = write_tone(tmp_path / "a.wav", seconds=2)
    imported.add_segment("b-1", "one", wav, "b", Segment("tape", 0.0, 1.0))
    imported.add_segment("a-1", "two", wav, "a", Segment("tape", 1.0, 2.0))
    imported.add_file("c-1", "three", wav, "c")
    imported.write_set(tmp_path / "data", imported.utterances)
    assert find_violations(tmp_path / "data") == []


@pytest.mark.parametrize(
    ("name", "line", "violation"),
    [
        ("utt2spk", "a-3 a\na-2 a\n", "utt2spk: not sorted, or a key twice"),
        ("utt2spk", "a-1 b\na-2 a\nb-1 b\n", "utt2spk: not sorted by speaker"),
        ("text", "a-1 one\na-2\nb-1 two\n", "text: b'a-2' has no words"),
        ("text", "a-1 one\na-2 <s> go\nb-1 two\n", "text: b'a-2' has {b'<s>'}"),
        ("text", "a-1 one\na-2 a\u00a0b\nb-1 two\n", "text: whitespace that is none in ASCII"),
        ("wav.scp", "a-1 a.wav\nb-1 b.wav\n", "wav.scp: its utterances are not those of utt2spk"),
        ("wav.scp", "a-1 a.wav\na-2 a.wav\nb-1 b.wav", "wav.scp: a line without a proper end"),
        ("spk2utt", "a a-1 a-2\n", "spk2utt: not the inverse of utt2spk"),
        ("segments", "a-1 r 1 0\na-2 r 0 1\nb-1 r 0 1\n", "segments: bad line"),
        ("segments", "a-1 r 0 1\na-2 r 0 1\nb-1 r 0 1\n", "segments: its recordings are not"),
    ],
)
def test_the_rules_find_what_is_wrong(tmp_path, name, line, violation):
    utterance = Utterance("a.wav", "one", "", 1.0)
    speakers = {"a-1": "a", "a-2": "a", "b-1": "b"}
    utterances = {u: utterance._replace(speaker=speaker) for u, speaker in speakers.items()}
    write_data_dir(tmp_path / "data", utterances)
    assert find_violations(tmp_path / "data") == []
    (tmp_path / "data" / name).write_text(line, encoding="utf-8")
    assert any(found.startswith(violation) for found in find_violations(tmp_path / "data"))


@pytest.mark.slow
def test_formatted_audio_and_what_lhotse_reads_of_it(tmp_path):
    corpus = mini_corpora.write_speechocean762(tmp_path / "corpus")
    recipe = copy_recipe("speechocean762", tmp_path / "recipe", SPEECHOCEAN762=corpus)
    recipe.run("--stop_stage", "3").must_succeed()
    for name in ("train", "valid", "test"):
        assert find_violations(recipe / f"dump/{name}") == []
    lhotse = pytest.importorskip("lhotse", reason="no lhotse: run 'make -C tools import'")
    command = shutil.which("lhotse", path=Path(sys.executable).parent)
    subprocess.run(
        [command, "kaldi", "import", "dump/test", "16000", tmp_path / "manifests"],
        cwd=recipe.folder,
        check=True,
    )
    supervisions = lhotse.load_manifest(tmp_path / "manifests/supervisions.jsonl.gz")
    texts = {supervision.id: supervision.text for supervision in supervisions}
    assert texts == read_keyed(recipe / "dump/test/text")
    recordings = lhotse.load_manifest(tmp_path / "manifests/recordings.jsonl.gz")
    for utt_id, path in read_keyed(recipe / "dump/test/wav.scp").items():
        assert recordings[utt_id].load_audio().shape == (1, soundfile.info(path).frames)
