"""The commands that report and compare alignments say what they did, or why they could not."""

import sys

import pytest

from espnet_ssr.align.alignment import Alignment, Span, write_ctm
from espnet_ssr.bin import compare_aligners, ssr_align_report
from espnet_ssr.command import run_command
from espnet_ssr.datadir import write_keyed, write_lines


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """``dump/test`` with two utterances, and a shard with the alignment of one."""
    shards = tmp_path / "dump" / "test" / "align_x" / "shards"
    (shards / "shard.1").mkdir(parents=True)
    write_lines(shards / "index.1", ["shard.1"])
    write_keyed(tmp_path / "dump" / "test" / "wav.scp", {"a": "a.wav", "b": "b.wav"})
    write_ctm(shards / "shard.1" / "word.ctm", [Alignment("a", [Span("oh", 0.1, 0.3)])])
    write_keyed(shards / "shard.1" / "failed", {"b": "no_path no path"})
    write_lines(shards / "shard.1" / "out_of_vocabulary", [])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(monkeypatch, main, *arguments):
    monkeypatch.setattr(sys, "argv", ["command", *arguments])
    run_command(main)


def report(monkeypatch, *arguments):
    folders = ["--data_dir", "dump/test", "--align_dir", "dump/test/align_x", "--num_pictures", "0"]
    call(monkeypatch, ssr_align_report.main, *folders, *arguments)


def test_report_and_comparison(folder, monkeypatch, capsys):
    (folder / "data" / "test").mkdir(parents=True)
    true = folder / "data" / "test" / "word.ctm"
    write_ctm(true, [Alignment("a", [Span("oh", 0.1, 0.32)])])
    report(monkeypatch, "--nj", "1", "--reference", str(true))
    assert capsys.readouterr().out == (
        "dump/test/align_x: aligned 1 of 2 utterances, 1 words, 0 out of vocabulary, 0 suspicious"
        "; dropped: 1 no_path (b)\n"
    )
    options = ["--data_dir", "dump/test", "--aligner", "x", "--output", "exp/ALIGNERS.md"]
    call(monkeypatch, compare_aligners.main, *options)
    shown = capsys.readouterr().out
    assert "| x | 50.0 % | 1 | 0 | 20.0 |" in shown
    assert "command: `python3 -m espnet_ssr.bin.compare_aligners --data_dir dump/test" in shown
    assert "## dump/test\n" in shown
    call(monkeypatch, compare_aligners.main, *options, "--pool", "Everything")
    assert "## Everything\n" in capsys.readouterr().out


def test_nothing_aligned_is_an_error_with_a_report(folder, monkeypatch, capsys):
    shard = folder / "dump" / "test" / "align_x" / "shards" / "shard.1"
    write_ctm(shard / "word.ctm", [])
    write_keyed(shard / "failed", {"a": "no_path x", "b": "no_path x"})
    with pytest.raises(SystemExit) as stopped:
        report(monkeypatch, "--nj", "1")
    assert stopped.value.code == 1
    written = capsys.readouterr()
    assert "aligned 0 of 2 utterances" in written.out
    assert "no utterance was aligned, see dump/test/align_x/report.md" in written.err
    text = (folder / "dump" / "test" / "align_x" / "report.md").read_text()
    assert "| failed | 2 |" in text


def test_nothing_to_merge(folder, monkeypatch, capsys):
    """Alignments that other programs made have no shards."""
    report(monkeypatch, "--nj", "1")
    (folder / "dump" / "test" / "align_x" / "shards" / "index.1").unlink()
    report(monkeypatch)
    first, second = capsys.readouterr().out.splitlines()
    assert first == second
