"""Manifests of ``lhotse``: recordings with supervisions, or cuts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from espnet_ssr.data.validate import TOLERANCE_SECONDS
from espnet_ssr.progress import Progress
from espnet_ssr.recipes import CorpusError
from espnet_ssr.recipes.imports.collect import Imported, Segment, make_utt_id

if TYPE_CHECKING:
    from lhotse import CutSet, Recording, SupervisionSegment
    from lhotse.cut import Cut


def import_lhotse(manifests: Sequence[Path], root: Path = Path()) -> Imported:
    """Read the manifests of one set: an utterance for each supervision.

    Causes of what is left out are those of `Imported.add_segment`, ``no_supervision`` (of a cut
    without one), ``mixed_cut``, ``changed_audio`` (by lhotse while reading, such as another speed),
    ``several_channels`` and ``no_file`` (audio that is a command, a URL or in the manifest).

    Args:
        manifests: a file of cuts, or one of recordings and one of supervisions, in any order.
        root: what relative paths in the manifests begin at.

    Raises:
        CorpusError: these are no such manifests, or ``lhotse`` is not installed.
    """
    imported = Imported()
    cuts = open_cuts(manifests)
    progress = Progress(len(cuts), f"read {manifests[0].name}")
    for cut in cuts:
        progress.update()
        fault = find_fault(cut)
        if fault:
            imported.drop(make_utt_id("", cut.id), *fault)
            continue
        path = root / cut.recording.sources[0].source
        for supervision in cut.supervisions:
            add_supervision(imported, cut, supervision, path)
    return imported


def open_cuts(manifests: Sequence[Path]) -> CutSet:
    """The cuts of a manifest, or one of each recording.

    Raises:
        CorpusError: as `import_lhotse`.
    """
    try:
        from lhotse import CutSet, load_manifest
    except ModuleNotFoundError:
        raise CorpusError("no module lhotse: run 'make -C tools import'") from None
    loaded = []
    for path in manifests:
        if not path.is_file():
            raise CorpusError(f"{path.absolute()}: no such file")
        try:
            loaded.append(load_manifest(path))
        except Exception as error:  # of whatever kind: it depends on what the file has
            raise CorpusError(f"{path}: not a manifest of lhotse ({error!r})") from None
    kinds = sorted(type(manifest).__name__ for manifest in loaded)
    if kinds == ["CutSet"]:
        return loaded[0]
    if kinds == ["RecordingSet", "SupervisionSet"]:
        recordings, supervisions = sorted(loaded, key=lambda manifest: type(manifest).__name__)
        return CutSet.from_manifests(recordings, supervisions)
    raise CorpusError(
        f"{' '.join(map(str, manifests))}: a manifest of cuts is wanted, or one of recordings and "
        f"one of supervisions, not: {', '.join(kinds)}"
    )


def find_fault(cut: Cut) -> tuple[str, str] | None:
    """Why a cut cannot be used, a cause and details."""
    if not hasattr(cut, "recording"):
        return "mixed_cut", f"{type(cut).__name__}: save its audio first (save_audios)"
    recording = cut.recording
    if recording is None:
        return "no_file", "the cut has no recording"
    if recording.transforms:
        return "changed_audio", "lhotse changes it while reading: save it first (save_audios)"
    if recording.num_channels > 1:
        return "several_channels", f"{recording.num_channels} channels: save one file of each first"
    kinds = [source.type for source in recording.sources]
    if kinds != ["file"]:
        return "no_file", f"audio is {', '.join(kinds)}: save it first (save_audios)"
    if not cut.supervisions:
        return "no_supervision", "the cut has no supervision"
    return None


def add_supervision(
    imported: Imported, cut: Cut, supervision: SupervisionSegment, path: Path
) -> None:
    """Add an utterance: a file, or a part of one."""
    recording: Recording = cut.recording
    # Times of a supervision count from its cut.
    start = max(0.0, cut.start + supervision.start)
    end = start + supervision.duration
    if abs(end - recording.duration) <= TOLERANCE_SECONDS:
        end = recording.duration
    speaker, text = supervision.speaker or "", supervision.text or ""
    utt_id = make_utt_id(speaker, supervision.id)
    if start == 0 and end == recording.duration:
        imported.add_file(utt_id, text, path, speaker)
    else:
        name = make_utt_id("", recording.id)
        imported.add_segment(utt_id, text, path, speaker, Segment(name, start, end))
