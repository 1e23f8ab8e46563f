"""TIMIT (LDC93S1): read sentences of 630 speakers, words and phones timed by hand.

The sets are the usual ones, without the two SA sentences, which all speakers read alike:

* ``train``: the folder TRAIN, 462 speakers with 8 sentences each;
* ``dev``: the 50 speakers of TEST that Kaldi's recipe takes;
* ``test``: the core test set, 24 speakers of TEST;
* ``test_full``: the complete test set, all 168 speakers of TEST, so those of dev and test too.

The transcript is made of the words of the ``.WRD`` file, so that it has one word for each of its
times.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from espnet_ssr.align.alignment import Alignment, Span, write_ctm
from espnet_ssr.data.check_audio import check_audio
from espnet_ssr.datadir import Utterance, write_data_dir, write_lines
from espnet_ssr.progress import Progress
from espnet_ssr.recipes import CorpusError

SAMPLE_RATE = 16000
NIST_HEADER_BYTES = 1024
NOT_SPOKEN = frozenset(["h#", "pau", "epi"])  # phones of .PHN that are silence
DEV_SPEAKERS = """
    faks0 fdac1 fjem0 mgwt0 mjar0 mmdb1 mmdm2 mpdf0 fcmh0 fkms0 mbdg0 mbwm0 mcsh0 fadg0 fdms0
    fedw0 mgjf0 mglb0 mrtk0 mtaa0 mtdt0 mthc0 mwjg0 fnmr0 frew0 fsem0 mbns0 mmjr0 mdls0 mdlf0
    mdvc0 mers0 fmah0 fdrw0 mrcs0 mrjm4 fcal1 mmwh0 fjsj0 majc0 mjsw0 mreb0 fgjd0 fjmg0 mroa0
    mteb0 mjfc0 mrjr0 fmml0 mrws1"""
CORE_TEST_SPEAKERS = """
    mdab0 mwbt0 felc0 mtas1 mwew0 fpas0 mjmp0 mlnt0 fpkt0 mlll0 mtls0 fjlm0 mbpm0 mklt0 fnlp0
    mcmj0 mjdh0 fmgd0 mgrt0 mnjm0 fdhc0 mjln0 mpam0 fmld0"""
# Speakers and utterances of the whole corpus.
SETS = {"train": (462, 3696), "dev": (50, 400), "test": (24, 192), "test_full": (168, 1344)}

Times = list[tuple[int, int, str]]
"""Begin and end in samples, and the word or phone."""


class DropSentence(Exception):
    """A sentence is left out; the arguments are the cause, in one word, and the details."""


class Sentence(NamedTuple):
    """A sentence; ``moved`` counts the words and phones that `fit_times` moved."""

    utterance: Utterance
    words: Alignment
    phones: Alignment
    moved: int


class Prepared(NamedTuple):
    """What `prepare_timit` wrote: sentences by set and id, and causes with details of what it
    left out, by id."""

    sets: dict[str, dict[str, Sentence]]
    dropped: dict[str, tuple[str, str]]


def find_parts(corpus_dir: Path) -> dict[str, Path]:
    """The folders TRAIN and TEST, in `corpus_dir` or up to two levels below it.

    Raises:
        CorpusError: there are no two such folders side by side.
    """
    if not corpus_dir.is_dir():
        raise CorpusError(f"{corpus_dir}: no such folder")
    seen = ""
    for folder in (corpus_dir, *sorted(corpus_dir.glob("*")), *sorted(corpus_dir.glob("*/*"))):
        inside = sorted(path for path in folder.glob("*") if path.is_dir())
        parts = {p.name.lower(): p for p in inside if p.name.lower() in ("train", "test")}
        if len(parts) == 2:
            return parts
        if parts:
            seen = f" (only {next(iter(parts.values()))})"
    raise CorpusError(
        f"{corpus_dir}: no folders TRAIN and TEST side by side in it or up to two levels "
        f"below{seen}; expected files such as {corpus_dir}/TIMIT/TRAIN/DR1/FCJF0/SX37.WAV"
    )


def find_sentences(part: Path) -> dict[tuple[str, str], dict[str, Path]]:
    """Files by extension of every speaker and sentence below TRAIN or TEST, all in lower case.

    Raises:
        CorpusError: there is none.
    """
    found: dict[tuple[str, str], dict[str, Path]] = {}
    for path in sorted(part.glob("[Dd][Rr]*/*/*")):
        speaker = path.parent.name.lower()
        name, _, extension = path.name.lower().partition(".")
        if re.fullmatch("[fm][a-z]{3}[0-9]", speaker) and re.fullmatch("s[aix][0-9]+", name):
            found.setdefault((speaker, name), {})[extension] = path
    if not found:
        raise CorpusError(f"{part}: no sentence below it; expected files as DR1/FCJF0/SX37.WAV")
    return found


def sets_of(part: str, speaker: str) -> list[str]:
    """The sets that a speaker of TRAIN or TEST belongs to."""
    members = {"dev": DEV_SPEAKERS, "test": CORE_TEST_SPEAKERS}
    smaller = [name for name, speakers in members.items() if speaker in speakers.split()]
    return ["train"] if part == "train" else ["test_full", *smaller]


def read_nist_header(path: Path) -> dict[str, str]:
    """Fields of a NIST SPHERE header, none where the file has another one."""
    with open(path, "rb") as file:
        lines = file.read(NIST_HEADER_BYTES).decode("latin-1").splitlines()
    if lines[:1] != ["NIST_1A"]:
        return {}
    # "name -type value"
    fields = (line.split(maxsplit=2) for line in lines)
    return {field[0]: field[2] for field in fields if len(field) == 3}


def count_samples(path: Path) -> int:
    """Samples of an audio file, NIST SPHERE or RIFF, that is whole.

    Raises:
        CorpusError: it is compressed, so the others will be too.
        DropSentence: it cannot be read, is cut short, or its rate is not TIMIT's.
    """
    header = read_nist_header(path)
    if "shorten" in header.get("sample_coding", ""):
        raise CorpusError(
            f"{path}: SPHERE audio compressed by shorten, which cannot be read here; decompress "
            "the corpus (NIST's 'w_decode -o pcm', LDC's 'sph2pipe -p') and try again"
        )
    seconds, fault = check_audio(path, SAMPLE_RATE)
    if fault:
        raise DropSentence(fault.cause, fault.message)
    num_samples = round(seconds * SAMPLE_RATE)
    # libsndfile hides that a file is shorter than its SPHERE header says.
    promised = header.get("sample_count", "")
    if promised.isdigit() and num_samples < int(promised):
        raise DropSentence("truncated_audio", f"{path}: {num_samples} of {promised} samples")
    return num_samples


def read_times(path: Path) -> Times:
    """Read a ``.WRD`` or ``.PHN`` file: lines ``begin end label``, times in samples.

    Raises:
        DropSentence: a line is something else, or the lines are not in order of time.
    """
    times: Times = []
    for number, line in enumerate(path.read_text("latin-1").splitlines(), 1):
        match = re.fullmatch(r"\s*(\d+)\s+(\d+)\s+(\S+)\s*", line)
        if not match:
            raise DropSentence("bad_times", f"{path}:{number}: not 'begin end label': {line!r}")
        begin, end = int(match[1]), int(match[2])
        last_begin, last_end, _ = times[-1] if times else (0, 0, "")
        if begin > end or begin < last_begin or end < last_end:
            raise DropSentence("bad_times", f"{path}:{number}: not in order of time: {line!r}")
        times.append((begin, end, match[3]))
    return times


def fit_times(times: Times, num_samples: int) -> tuple[Times, int]:
    """Let nothing overlap or go past the end of the audio.

    Words that share a sound overlap in TIMIT ("had your"): they meet in its middle.

    Returns:
        the times, and how many of them were moved.
    """
    fitted: Times = []
    for begin, end, label in times:
        if fitted and begin < fitted[-1][1]:
            last_begin, last_end, last_label = fitted[-1]
            begin = (begin + last_end) // 2
            fitted[-1] = (last_begin, begin, last_label)
        fitted.append((min(begin, num_samples), min(end, num_samples), label))
    return fitted, sum(old != new for old, new in zip(times, fitted, strict=True))


def normalize_word(word: str) -> str:
    """Lower case, no punctuation but apostrophes and hyphens inside: ``Y'all``, ``x-ray``."""
    return re.sub("[^a-z0-9'-]", "", word.lower()).strip("-")


def read_sentence(utt_id: str, speaker: str, files: dict[str, Path]) -> Sentence:
    """Read the audio's length, the words and the phones of a sentence.

    Raises:
        CorpusError: as `count_samples`.
        DropSentence: one of its files is missing or cannot be used.
    """
    # Some copies have a RIFF file SX37.WAV.wav beside the SPHERE file SX37.WAV.
    audio = files.get("wav.wav") or files.get("wav")
    for extension, path in (("wav", audio), ("wrd", files.get("wrd")), ("phn", files.get("phn"))):
        if path is None:
            folder = next(iter(files.values())).parent
            raise DropSentence(f"no_{extension}", f"{folder} has no such file of the sentence")
    num_samples = count_samples(audio)
    words = [(begin, end, normalize_word(word)) for begin, end, word in read_times(files["wrd"])]
    phones = [phone for phone in read_times(files["phn"]) if phone[2] not in NOT_SPOKEN]
    if not words or not all(re.search("[a-z0-9]", word) for _, _, word in words):
        raise DropSentence("bad_words", f"{files['wrd']}: no words, or one without a letter")
    if words[-1][0] >= num_samples:
        raise DropSentence("past_end", f"{files['wrd']}: a word begins after the end of {audio}")
    words, moved_words = fit_times(words, num_samples)
    phones, moved_phones = fit_times(phones, num_samples)
    text = " ".join(word for _, _, word in words)
    return Sentence(
        Utterance(str(audio.absolute()), text, speaker, num_samples / SAMPLE_RATE),
        to_alignment(utt_id, words, "word"),
        to_alignment(utt_id, phones, "phone"),
        moved_words + moved_phones,
    )


def to_alignment(utt_id: str, times: Times, level: str) -> Alignment:
    """Times in seconds."""
    spans = [Span(label, begin / SAMPLE_RATE, end / SAMPLE_RATE) for begin, end, label in times]
    return Alignment(utt_id, spans, level)


def prepare_timit(corpus_dir: Path, data_dir: Path) -> Prepared:
    """Write ``data_dir/{train,dev,test,test_full}``, each with the true ``word.ctm`` and
    ``phone.ctm``, and ``data_dir/dropped`` (``utterance cause details``).

    Args:
        corpus_dir: the folder of LDC93S1, one or two levels above TRAIN and TEST, or theirs.
        data_dir: folder for the data directories; those there are replaced.

    Raises:
        CorpusError: `corpus_dir` does not hold the corpus, or a set would be empty.
    """
    parts = {name: find_sentences(path) for name, path in sorted(find_parts(corpus_dir).items())}
    prepared = Prepared({name: {} for name in SETS}, {})
    progress = Progress(sum(map(len, parts.values())), "read TIMIT")
    for part, sentences in parts.items():
        for (speaker, name), files in sentences.items():
            progress.update()
            if name.startswith("sa"):
                continue
            utt_id = f"{speaker}-{name}"
            try:
                sentence = read_sentence(utt_id, speaker, files)
            except DropSentence as drop:
                prepared.dropped[utt_id] = drop.args
            except OSError as error:
                prepared.dropped[utt_id] = ("unreadable", str(error))
            else:
                for set_name in sets_of(part, speaker):
                    prepared.sets[set_name][utt_id] = sentence
    write_prepared(prepared, corpus_dir, data_dir)
    return prepared


def write_prepared(prepared: Prepared, corpus_dir: Path, data_dir: Path) -> None:
    """Write what `prepare_timit` promises."""
    for name, sentences in prepared.sets.items():
        if not sentences:
            raise CorpusError(
                f"{corpus_dir}: no sentence for the set {name}; {describe_dropped(prepared)}"
            )
    for name, sentences in prepared.sets.items():
        folder = data_dir / name
        write_data_dir(folder, {utt_id: s.utterance for utt_id, s in sentences.items()})
        write_ctm(folder / "word.ctm", (s.words for _, s in sorted(sentences.items())))
        write_ctm(folder / "phone.ctm", (s.phones for _, s in sorted(sentences.items())))
    dropped = sorted(prepared.dropped.items())
    write_lines(data_dir / "dropped", (" ".join((utt_id, *why)) for utt_id, why in dropped))


def describe(prepared: Prepared) -> str:
    """Counts of each set beside those of the whole corpus, and of what was left out."""
    lines = []
    for name, by_id in prepared.sets.items():
        sentences = by_id.values()
        all_speakers, all_sentences = SETS[name]
        speakers = {s.utterance.speaker for s in sentences}
        hours = sum(s.utterance.seconds for s in sentences) / 3600
        words = sum(len(s.words.spans) for s in sentences)
        lines.append(
            f"{name:<9} {len(speakers)} of {all_speakers} speakers, "
            f"{len(sentences)} of {all_sentences} sentences, {hours:.2f} hours, {words} words, "
            f"{sum(s.moved for s in sentences)} word and phone times moved"
        )
    return "\n".join([*lines, describe_dropped(prepared)])


def describe_dropped(prepared: Prepared) -> str:
    """How many sentences were left out, by cause with the first of each."""
    causes: dict[str, list[str]] = {}
    for cause, details in prepared.dropped.values():
        causes.setdefault(cause, []).append(details)
    counts = [f"{len(found)} {cause} ({found[0]})" for cause, found in sorted(causes.items())]
    return f"left out {len(prepared.dropped)}" + (f": {', '.join(counts)}" if counts else "")
