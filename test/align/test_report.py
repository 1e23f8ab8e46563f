"""What the report of an aligner counts and draws."""

import json

import numpy as np
import pytest
import soundfile

from espnet_ssr.align.alignment import Alignment, Span, read_ctm, write_ctm
from espnet_ssr.align.report import (
    describe_words,
    merge_jobs,
    pick_typical,
    pick_worst,
    read_aligned_set,
    write_report,
)
from espnet_ssr.datadir import read_keyed, write_keyed, write_lines

RATE = 16000
PNG = b"\x89PNG\r\n\x1a\n"


def alignment(utt_id, num_words, seconds=0.5, score=None, shift=0.0):
    times = [(i * seconds + shift, (i + 1) * seconds + shift) for i in range(num_words)]
    return Alignment(utt_id, [Span(f"word{i}", *t, score) for i, t in enumerate(times)])


class Folder:
    """A data directory with alignments in it."""

    def __init__(self, path):
        self.path = path
        noise = np.random.default_rng(0).normal(0, 0.1, 2 * RATE)
        soundfile.write(path / "a.wav", noise, RATE)
        self.write([], {})

    def write(self, alignments, failed, unknown=(), lost=()):
        """The files of an aligner; ``lost`` utterances are in none of them."""
        names = [*(a.utt_id for a in alignments), *failed, *lost]
        write_keyed(self.path / "wav.scp", dict.fromkeys(names, str(self.path / "a.wav")))
        write_keyed(self.path / "utt2num_samples", dict.fromkeys(names, str(2 * RATE)))
        write_ctm(self.path / "word.ctm", alignments)
        write_keyed(self.path / "failed", failed)
        write_lines(self.path / "out_of_vocabulary", unknown)

    def report(self, num_pictures=0, **options):
        report = write_report(self.path, self.path, num_pictures, **options)
        assert json.loads((self.path / "report.json").read_text()) == report
        return report, (self.path / "report.md").read_text()

    def pictures(self):
        found = {p.name: p.read_bytes()[:8] for p in self.path.glob("*.png")}
        assert set(found.values()) <= {PNG}
        return sorted(found)


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


def test_counts(folder):
    failed = {"c": "no_path too short", "d": "no_path wrong | words", "e": "empty_text"}
    unknown = ["pbx spelled: P IY B IY EH K S"]
    folder.write([alignment("a", 3), alignment("b", 1, seconds=1.0)], failed, unknown)
    report, text = folder.report()
    assert (report["utterances"], report["aligned"], report["coverage"]) == (5, 2, 0.4)
    assert report["failed"] == {"no_path": 2, "empty_text": 1}
    assert report["failed_examples"] == {
        "no_path": ["c: too short", "d: wrong | words"], "empty_text": ["e"]
    }  # fmt: skip
    assert report["suspicious_utterances"] == 0
    assert report["words"] == 4
    assert report["words_per_second_of_speech"] == 4 / 2.5
    assert report["words_per_second_of_audio"] == 4 / 4
    assert report["word_duration"] == {"mean": 0.625, "median": 0.5, "lowest": 0.5, "highest": 1.0}
    assert report["word_score"] is report["cost"] is report["boundary_errors"] is None
    assert report["out_of_vocabulary"] == {"pbx": "spelled: P IY B IY EH K S"}
    assert "| aligned | 2 (40.0 %) |" in text
    assert "| no_path | c: too short; d: wrong \\| words | 2 |" in text
    assert "| pbx | spelled: P IY B IY EH K S |" in text


def test_pictures(folder):
    folder.write([alignment("x/1", 4), alignment("x/2", 2)], {"x/3": "no_path too short"})
    _, text = folder.report(num_pictures=3)
    # Without scores and reference there is no worst, and no histogram of scores.
    assert folder.pictures() == ["word_duration.png", "x_1.png"]
    assert "![x_1.png](x_1.png)" in text
    assert "Worst" not in text


def test_worst_by_score(folder, tmp_path):
    scores = {"a": -3.0, "b": -9.0, "c": None, "d": -4.0}
    folder.write([alignment(u, 3, score=s) for u, s in scores.items()], {})
    report, text = folder.report(num_pictures=1)
    assert report["word_score"]["mean"] == pytest.approx(-16 / 3)
    assert text.split("## Worst utterances")[1].split() == ["![b.png](b.png)"]
    assert folder.pictures() == ["a.png", "b.png", "score.png", "word_duration.png"]
    assert pick_worst(read_aligned_set(tmp_path, tmp_path), 5) == ["b", "d", "a"]


def test_worst_by_reference(folder, tmp_path):
    folder.write([alignment(u, 3, 0.4, score=-1.0) for u in "abc"], {"d": "no_path x"})
    reference = tmp_path / "true.ctm"
    shifts = {"a": 0.02, "b": 0.3, "d": 0.0, "of_another_set": 0.0}
    write_ctm(reference, [alignment(u, 3, 0.4, shift=shift) for u, shift in shifts.items()])
    report, text = folder.report(num_pictures=1, reference=reference)
    errors = report["boundary_errors"]
    assert errors["words"] == 6
    assert errors["left_out"] == {"not_aligned": 1, "no_reference": 1}
    assert errors["end"]["mean_ms"] == errors["start"]["mean_ms"] == pytest.approx(160)
    assert errors["end"]["signed_mean_ms"] == pytest.approx(-160)
    assert "| word end | 160.0 | 160.0 | -160.0 | 0.0 % | 50.0 % |" in text
    assert text.split("## Worst utterances")[1].split() == ["![b.png](b.png)"]
    aligned = read_aligned_set(tmp_path, tmp_path, reference)
    assert pick_worst(aligned, 5) == ["b", "a"]


def test_reference_of_another_set_is_refused(folder, tmp_path):
    folder.write([alignment("a", 3)], {})
    write_ctm(tmp_path / "true.ctm", [alignment("b", 3)])
    with pytest.raises(ValueError, match=r"true.ctm: it is no reference for this set"):
        folder.report(reference=tmp_path / "true.ctm")


def test_nothing_aligned(folder):
    folder.write([], {f"u{i}": "no_path x" for i in range(12)})
    report, text = folder.report()
    assert (report["coverage"], report["words"], report["failed"]) == (0, 0, {"no_path": 12})
    assert report["failed_examples"] == {"no_path": ["u0: x", "u1: x", "u2: x"]}
    assert report["words_per_second_of_speech"] is report["word_duration"] is None
    assert "| failed | 12 |" in text
    assert folder.pictures() == ["word_duration.png"]


def test_what_the_aligner_lost_is_counted(folder, tmp_path):
    folder.write([alignment("a", 3)], {"b": "no_path x"}, lost=["c"])
    report, _ = folder.report()
    assert (report["utterances"], report["failed"]) == (3, {"no_path": 1, "no_words": 1})
    failed = read_keyed(tmp_path / "failed")
    assert failed["c"].startswith("no_words ")
    assert folder.report()[0] == report  # once


def test_suspicious(folder, tmp_path):
    scores = dict(zip("abcdefgh", (-3.0, -3.1, -2.9, -3.0, -3.2, -2.8, -3.0, -30.0), strict=True))
    folder.write([alignment(u, 3, score=s) for u, s in scores.items()], {})
    report, text = folder.report()
    assert report["suspicious_utterances"] == 1
    assert report["suspicious"] == {"low_score": 1}
    assert (tmp_path / "suspicious").read_text().split()[::3] == ["h", "low_score"]
    assert "| low_score | h: z -91.1, score -30.000 | 1 |" in text


def test_retried_are_counted_by_outcome_and_speaker(folder, tmp_path):
    failed = {"b1": "poor_match -90", "c1": "empty_text x"}
    folder.write([alignment(u, 3) for u in ("a1", "a2", "b2", "d1")], failed)
    write_keyed(tmp_path / "utt2spk", {u: u[0] for u in ("a1", "a2", "b1", "b2", "c1", "d1")})
    write_keyed(tmp_path / "retried", {"a2": "aligned", "b1": "poor_match", "b2": "aligned"})
    report, text = folder.report()
    assert report["retried"] == {"aligned": 2, "poor_match": 1}
    assert report["retried_examples"] == {"aligned": ["a2", "b2"], "poor_match": ["b1"]}
    assert report["speakers"] == {
        "a": {"utterances": 2, "aligned": 2, "retried": 1},
        "b": {"utterances": 2, "aligned": 1, "retried": 1},
        "c": {"utterances": 1, "aligned": 0, "retried": 0},
        "d": {"utterances": 1, "aligned": 1, "retried": 0},
    }
    assert "| retried | 3 |" in text
    assert "| aligned | a2; b2 | 2 |" in text
    speakers = text.split("## Speakers")[1]
    rows = [line for line in speakers.splitlines() if line.startswith("| ")][2:]
    assert rows == ["| c | 1 | 0 (0.0 %) | 0 |", "| b | 2 | 1 (50.0 %) | 1 |",
                    "| a | 2 | 2 (100.0 %) | 1 |"]  # fmt: skip
    assert "of 1 other speakers" in speakers


def test_speakers_are_not_listed_without_reason(folder, tmp_path):
    folder.write([alignment("a", 3)], {})
    write_keyed(tmp_path / "utt2spk", {"a": "s"})
    assert "Speakers" not in folder.report()[1]


def test_at_most_twenty_speakers_are_listed(folder, tmp_path):
    failed = {f"u{i:02}": "no_path x" for i in range(25)}
    folder.write([], failed)
    write_keyed(tmp_path / "utt2spk", {u: f"s{u}" for u in failed})
    _, text = folder.report()
    assert text.count("| 0 (0.0 %) | 0 |") == 20
    assert "\nand 5 more\n" in text


def test_cost(folder, tmp_path):
    folder.write([alignment("a", 3)], {})
    write_lines(tmp_path / "cost", ["10.0 0.25", "30.0 0.75"])
    report, text = folder.report()
    assert report["cost"] == {
        "audio_seconds": 40.0, "work_seconds": 1.0, "real_time_factor": 0.025
    }  # fmt: skip
    assert "| real-time factor | 0.0250 |" in text


def test_durations_may_be_unknown(folder, tmp_path):
    folder.write([alignment("a", 3)], {})
    (tmp_path / "utt2num_samples").unlink()
    report, text = folder.report()
    assert report["words_per_second_of_audio"] is None
    assert "| words a second of audio | - |" in text


def test_rates_of_words_without_duration():
    figures = describe_words({"a": Alignment("a", [Span("oh", 1.0, 1.0)])}, 2.0)
    assert figures["words_per_second_of_speech"] is None
    assert figures["words_per_second_of_audio"] == 0.5


@pytest.mark.parametrize(
    ("lengths", "number", "picked"),
    [
        ([5] * 9, 3, [0, 4, 8]),
        ([5] * 9, 1, [0]),
        ([5] * 2, 3, [0, 1]),
        ([1, 4, 13, 12, 3], 3, [1, 3]),
        ([1, 2, 20], 2, [0, 2]),  # none is of a good length
        ([], 3, []),
        ([5, 5], 0, []),
    ],
)
def test_pictures_are_of_readable_utterances(lengths, number, picked):
    words = {str(i): alignment(str(i), n) for i, n in enumerate(lengths)}
    assert pick_typical(words, number) == [str(i) for i in picked]


def make_shards(folder, shards, jobs):
    """``shards``: contents of files by name, by shard; ``jobs``: names of each job's shards."""
    for name, files in shards.items():
        (folder / name).mkdir(parents=True)
        for file, content in files.items():
            (folder / name / file).write_text(content)
    for job, names in enumerate(jobs, 1):
        write_lines(folder / f"index.{job}", names)


def test_merged_are_the_levels_that_are_there(tmp_path):
    files = {
        "char.ctm": "{0} 1 0.0 0.1 a\n",
        "word.ctm": "{0} 1 0.0 0.2 ab\n",
        "failed": "{0}x no_path x\n",
        "out_of_vocabulary": "",
        "cost": "1.0 {0}\n",
    }
    shards = {f"shard.{i}": {n: c.format(i) for n, c in files.items()} for i in (1, 2)}
    shards["shard.old"] = {"word.ctm": "", "phone.ctm": ""}  # of other settings
    make_shards(tmp_path / "shards", shards, [[], ["shard.1", "shard.2"]])
    merge_jobs(tmp_path / "shards", 2, tmp_path)
    assert {p.name for p in tmp_path.iterdir() if p.is_file()} == set(files)
    assert list(read_ctm(tmp_path / "char.ctm", "char")) == ["1", "2"]
    assert (tmp_path / "cost").read_text() == "1.0 1\n1.0 2\n"


def test_merge_of_an_unfinished_job(tmp_path):
    make_shards(tmp_path / "shards", {"shard.1": {"word.ctm": ""}}, [["shard.1"]])
    with pytest.raises(FileNotFoundError, match=r"index.2 is missing: job 2 of 2 did not finish"):
        merge_jobs(tmp_path / "shards", 2, tmp_path)
