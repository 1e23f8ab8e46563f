"""The table of several aligners: errors over the same words, counts over all sets."""

import json

import pytest

from espnet_ssr.align.alignment import Alignment, Span, write_ctm
from espnet_ssr.align.compare import COLUMNS, compare_sets, find_sets, write_comparisons
from espnet_ssr.align.report import write_report
from espnet_ssr.datadir import write_keyed, write_lines


def alignment(utt_id, late_ms):
    """Two words, half a second each, that end and start late."""
    late = late_ms / 1000
    return Alignment(utt_id, [Span("a", late, 0.5 + late), Span("b", 0.5 + late, 1 + late)])


def add_set(root, name, aligners, utt_ids="abcd", reference="abcd"):
    """``aligners``: by name, how late each utterance is in ms; those without have failed."""
    data_dir, true = root / "dump" / name, root / "data" / name
    true.mkdir(parents=True)
    if reference:
        write_ctm(true / "word.ctm", [alignment(u, 0) for u in reference])
    for aligner, late in aligners.items():
        folder = data_dir / f"align_{aligner}"
        folder.mkdir(parents=True)
        write_keyed(data_dir / "wav.scp", dict.fromkeys(utt_ids, "none.wav"))
        write_ctm(folder / "word.ctm", [alignment(u, ms) for u, ms in late.items()])
        write_keyed(folder / "failed", {u: "no_path x" for u in utt_ids if u not in late})
        write_lines(folder / "out_of_vocabulary", [])
        write_lines(folder / "cost", ["10.0 0.5"])
        write_report(data_dir, folder, num_pictures=0)
    return data_dir


GOOD = {"good": {"a": 10, "b": 20, "c": 30, "d": 300}, "weak": {"a": 40, "b": 60, "c": 80}}


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rows_of(text):
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_errors_are_over_what_all_aligned(root):
    data_dir = add_set(root, "test", GOOD)
    rows = compare_sets("test", find_sets([data_dir]), ["good", "weak"]).rows
    good, weak = (row.summary() for row in rows.values())
    # d, where the weak one failed, is not held against the good one.
    assert good["boundary_errors"]["utterances"] == weak["boundary_errors"]["utterances"] == 3
    assert good["boundary_errors"]["end"]["mean_ms"] == pytest.approx(20)
    assert weak["boundary_errors"]["start"]["mean_ms"] == pytest.approx(60)
    assert (good["coverage"], weak["coverage"], weak["failed"]) == (1, 0.75, 1)
    alone = compare_sets("test", find_sets([data_dir]), ["good"]).rows["good"].summary()
    assert alone["boundary_errors"]["end"]["mean_ms"] == pytest.approx(90)


def test_sets_are_pooled(root):
    dirs = [add_set(root, "one", GOOD), add_set(root, "two", {"good": {"a": 50}, "weak": {"a": 0}})]
    row = compare_sets("both", find_sets(dirs), ["good", "weak"]).rows["good"].summary()
    # Utterance a of both sets counts, every word alike.
    assert row["boundary_errors"]["words"] == 8
    assert row["boundary_errors"]["end"]["mean_ms"] == pytest.approx((10 + 20 + 30 + 50) / 4)
    assert (row["utterances"], row["coverage"], row["failed"]) == (8, 5 / 8, 3)
    assert row["real_time_factor"] == 0.05


def test_document(root):
    data_dir = add_set(root, "test", GOOD)
    comparison = compare_sets("dump/test", find_sets([data_dir]), ["good", "weak"])
    output = root / "exp" / "ALIGNERS.md"
    write_comparisons([comparison], output, "Aligners", "compare_aligners --x")
    text = output.read_text()
    header, _, good, weak = rows_of(text)
    assert tuple(header) == COLUMNS
    assert good == ["good", "100.0 %", "0", "0", "20.0", "20.0", "20.0", "6.7",
                    "66.7 %", "100.0 %",
                    "20.0", "20.0", "500", "0.0500"]  # fmt: skip
    assert weak[:4] == ["weak", "75.0 %", "1", "0"]
    assert "- command: `compare_aligners --x`" in text
    assert "Errors over 6 words of 3 utterances, against `data/test/word.ctm`" in text
    assert "![dump/test: word ends](images/dump_test.png)" in text
    assert (root / "exp" / "images" / "dump_test.png").read_bytes().startswith(b"\x89PNG")
    record = json.loads((root / "exp" / "ALIGNERS.json").read_text())
    assert record["tables"]["dump/test"]["weak"]["boundary_errors"]["left_out"] == {
        "not_aligned": 1
    }
    assert record["command"] == "compare_aligners --x"


def test_sets_without_reference(root):
    data_dir = add_set(root, "test", GOOD, reference="")
    assert [s.reference for s in find_sets([data_dir])] == [None]
    comparison = compare_sets("test", find_sets([data_dir]), ["good"])
    write_comparisons([comparison], root / "ALIGNERS.md", "Aligners", "x")
    text = (root / "ALIGNERS.md").read_text()
    assert rows_of(text)[2] == ["good", "100.0 %", "0", "0", *["-"] * 9, "0.0500"]
    assert "No errors: no utterance has a reference and is aligned by all." in text
    assert "![" not in text


def test_reference_by_pattern(root):
    data_dir = add_set(root, "test", GOOD)
    found = find_sets([data_dir], "dump/{set}/align_weak")
    assert str(found[0].reference) == "dump/test/align_weak/word.ctm"
    row = compare_sets("test", found, ["good"]).rows["good"].summary()
    assert row["boundary_errors"]["end"]["signed_mean_ms"] == pytest.approx(-40)
    with pytest.raises(FileNotFoundError, match=r"no reference dump/test/align_mfa for .*test"):
        find_sets([data_dir], "dump/{set}/align_mfa")


def test_aligners_that_were_not_run(root):
    data_dir = add_set(root, "test", GOOD)
    with pytest.raises(FileNotFoundError, match=r"no .*align_ctc/report.json: run stage 4"):
        compare_sets("test", find_sets([data_dir]), ["good", "ctc"])
