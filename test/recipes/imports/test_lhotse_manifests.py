"""Manifests of lhotse: recordings with supervisions, and cuts."""

import sys

import pytest
from sounds import write_tone

from espnet_ssr.recipes import CorpusError
from espnet_ssr.recipes.imports.lhotse_manifests import import_lhotse


@pytest.fixture
def lhotse():
    return pytest.importorskip("lhotse", reason="no lhotse: run 'make -C tools import'")


@pytest.fixture
def manifests(lhotse, tmp_path):
    """A recording of two seconds with two supervisions, and one of a single one."""
    recordings = [
        lhotse.Recording.from_file(write_tone(tmp_path / f"{name}.flac", seconds), name)
        for name, seconds in (("long", 2), ("short", 0.5))
    ]
    supervisions = [
        lhotse.SupervisionSegment("u1", "long", 0.25, 0.5, text="One.", speaker="a-b"),
        lhotse.SupervisionSegment("u2", "long", 1.0, 1.0, text="Two.", speaker="c"),
        lhotse.SupervisionSegment("u3", "short", 0.0, 0.5, text="Three.", speaker="c"),
    ]
    lhotse.RecordingSet.from_recordings(recordings).to_file(tmp_path / "recordings.jsonl.gz")
    lhotse.SupervisionSet.from_segments(supervisions).to_file(tmp_path / "supervisions.jsonl.gz")
    return tmp_path / "supervisions.jsonl.gz", tmp_path / "recordings.jsonl.gz"


@pytest.fixture
def cuts(lhotse, manifests):
    supervisions, recordings = map(lhotse.load_manifest, manifests)
    return lhotse.CutSet.from_manifests(recordings, supervisions).to_eager()


def segments_of(imported):
    return {u: (s.recording, s.start, s.end) for u, s in imported.segments.items()}


def test_recordings_with_supervisions(manifests):
    imported = import_lhotse(manifests)
    assert {u: v.text for u, v in imported.utterances.items()} == {
        "a_b-u1": "one",
        "c-u2": "two",
        "c-u3": "three",
    }
    assert segments_of(imported) == {
        "a_b-u1": ("unknown-long", 0.25, 0.75),
        "c-u2": ("unknown-long", 1.0, 2.0),
    }


def test_times_in_cuts_count_from_the_cut(cuts, tmp_path):
    cuts.trim_to_supervisions().to_file(tmp_path / "cuts.jsonl.gz")
    imported = import_lhotse([tmp_path / "cuts.jsonl.gz"])
    assert segments_of(imported)["c-u2"] == ("unknown-long", 1.0, 2.0)
    assert set(imported.utterances) == {"a_b-u1", "c-u2", "c-u3"}


def test_paths_begin_at_the_root(cuts, tmp_path):
    for cut in cuts:
        cut.recording.sources[0].source = f"{cut.recording.id}.flac"
    cuts.to_file(tmp_path / "cuts.jsonl")
    assert len(import_lhotse([tmp_path / "cuts.jsonl"], tmp_path).utterances) == 3
    causes = {cause for cause, _ in import_lhotse([tmp_path / "cuts.jsonl"]).dropped.values()}
    assert causes == {"missing_audio"}


def test_what_cannot_be_used_is_left_out_by_cause(lhotse, cuts, tmp_path):
    long, short = sorted(cuts, key=lambda cut: cut.recording.id)
    stereo = lhotse.Recording.from_file(write_tone(tmp_path / "st.wav", channels=2), "st")
    url = lhotse.AudioSource("url", [0], "https://example.org/a.wav")
    strange = [
        short.append(long).with_id("mixed"),
        short.perturb_speed(1.1).with_id("fast"),
        stereo.to_cut().with_id("stereo"),
        lhotse.Recording("url", [url], 16000, 8000, 0.5).to_cut().with_id("url"),
        short.drop_supervisions().with_id("empty"),
    ]
    lhotse.CutSet.from_cuts(strange).to_file(tmp_path / "cuts.jsonl.gz")
    imported = import_lhotse([tmp_path / "cuts.jsonl.gz"])
    assert imported.utterances == {}
    assert {key: cause for key, (cause, _) in imported.dropped.items()} == {
        "unknown-mixed": "mixed_cut",
        "unknown-fast": "changed_audio",
        "unknown-stereo": "several_channels",
        "unknown-url": "no_file",
        "unknown-empty": "no_supervision",
    }


def test_other_files_are_refused(manifests, tmp_path):
    supervisions, recordings = manifests
    for given, message in (
        ([recordings], "a manifest of cuts is wanted, .* not: RecordingSet"),
        ([recordings, recordings], "not: RecordingSet, RecordingSet"),
        ([tmp_path / "none.jsonl.gz"], f"{tmp_path}/none.jsonl.gz: no such file"),
        ([tmp_path / "long.flac"], "long.flac: not a manifest of lhotse"),
    ):
        with pytest.raises(CorpusError, match=message):
            import_lhotse(given)


def test_without_the_library(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "lhotse", None)
    with pytest.raises(CorpusError, match="no module lhotse: run 'make -C tools import'"):
        import_lhotse([tmp_path / "cuts.jsonl.gz"])
