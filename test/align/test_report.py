"""What the report of an aligner counts and draws."""

import json

import numpy as np
import pytest
import soundfile

from espnet_ssr.align.alignment import Alignment, Span, write_ctm
from espnet_ssr.align.report import pick_typical, summarize, write_report
from espnet_ssr.datadir import write_keyed, write_lines

RATE = 16000
PNG = b"\x89PNG\r\n\x1a\n"


def alignment(utt_id, num_words, seconds=0.5):
    spans = [Span(f"w{i}", i * seconds, (i + 1) * seconds) for i in range(num_words)]
    return Alignment(utt_id, spans)


def test_summary():
    words = {utt_id: alignment(utt_id, n) for utt_id, n in (("a", 3), ("b", 1))}
    failed = {"c": "no_path too short", "d": "no_path wrong words", "e": "empty_text none"}
    report = summarize(words, failed, ["pbx spelled: P IY B IY EH K S"])
    assert report == {
        "utterances": 5,
        "aligned": 2,
        "coverage": 0.4,
        "failed": {"no_path": 2, "empty_text": 1},
        "failed_examples": failed,
        "words": 4,
        "words_per_second_of_speech": 2.0,
        "out_of_vocabulary": {"pbx": "spelled: P IY B IY EH K S"},
    }


def test_summary_of_nothing():
    report = summarize({}, {f"u{i}": "no_path x" for i in range(12)}, [])
    assert (report["coverage"], report["words"], report["failed"]) == (0, 0, {"no_path": 12})
    assert list(report["failed_examples"]) == [f"u{i}" for i in range(10)]
    assert summarize({}, {}, [])["utterances"] == 0


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


def test_report_files(tmp_path):
    speech = np.random.default_rng(0).normal(0, 0.1, 2 * RATE)
    soundfile.write(tmp_path / "a.wav", speech, RATE)
    write_keyed(tmp_path / "wav.scp", {u: str(tmp_path / "a.wav") for u in ("x/1", "x/2", "x/3")})
    write_ctm(tmp_path / "word.ctm", [alignment("x/1", 4), alignment("x/2", 2)])
    write_keyed(tmp_path / "failed", {"x/3": "no_path too short"})
    write_lines(tmp_path / "out_of_vocabulary", [])
    report = write_report(tmp_path, tmp_path)
    assert json.loads((tmp_path / "report.json").read_text()) == report
    assert report["aligned"] == 2
    pictures = {p.name: p.read_bytes()[:8] for p in tmp_path.glob("*.png")}
    assert pictures == {"word_duration.png": PNG, "x_1.png": PNG}
