"""The Asterisk core sounds: recorded telephone prompts of one speaker, with their text.

551 prompts of Allison Smith, 24 minutes, 16 kHz G.722, CC BY-SA 3.0. `prepare_asterisk` turns
the files of a package or tarball into Kaldi data directories. How the text is normalised is
described in `espnet_ssr.text`, how it is split in `text_split`.
"""

import wave
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from tqdm import tqdm

from espnet_ssr.datadir import Utterance, count_dropped, write_data_dir, write_lines
from espnet_ssr.recipes import CorpusError
from espnet_ssr.recipes.asterisk_text import read_prompt_list
from espnet_ssr.recipes.text_split import Split, group_near_copies, split_by_text
from espnet_ssr.text import has_remark, normalize_text

SPEAKER = "allison"
SAMPLE_RATE = 16000
SAMPLES_PER_BYTE = 2  # G.722: 64 kbit/s
# The fastest whole prompt has 20 characters a second; many more mean that its end is missing.
MAX_CHARS_PER_SECOND = 30
NUM_VALID = 26
NUM_TEST = 52


class Dropped(NamedTuple):
    """A prompt that is left out: its key, the cause and what the list says."""

    key: str
    cause: str
    text: str


class Prepared(NamedTuple):
    """What `prepare_asterisk` wrote: utterances by id, ids by set, and what it left out."""

    utterances: dict[str, Utterance]
    split: Split
    dropped: list[Dropped]


def make_utt_id(key: str) -> str:
    """Return the utterance id of a prompt: ``digits/a-m`` -> ``allison-digits__a-m``."""
    return f"{SPEAKER}-{key.replace('/', '__')}"


def find_prompt_list(corpus_dir: Path) -> Path:
    """Return the list of the English prompts somewhere below `corpus_dir`.

    Raises:
        CorpusError: there is none.
    """
    for name in ("core-sounds-en.txt", "core-sounds-en.txt.gz"):
        found = sorted(corpus_dir.rglob(name))
        if found:
            return found[0]
    raise CorpusError(f"{corpus_dir}: no core-sounds-en.txt or core-sounds-en.txt.gz below it")


def find_sounds_dir(corpus_dir: Path, keys: Iterable[str]) -> Path:
    """Return the folder below which most of `keys` have a ``.g722`` file.

    Of folders of several languages, which all have the same keys, one named ``en*`` is taken.

    Raises:
        CorpusError: no folder below `corpus_dir` has any.
    """
    folders = sorted({path.parent for path in corpus_dir.rglob("*.g722")})

    def rank(folder: Path) -> tuple[bool, int]:
        return folder.name.startswith("en"), sum((folder / f"{key}.g722").exists() for key in keys)

    usable = [folder for folder in folders if rank(folder)[1] > 0]
    if not usable:
        raise CorpusError(f"{corpus_dir}: no .g722 file of the prompts below it")
    return max(usable, key=rank)


def decode_g722(path: Path) -> np.ndarray:
    """Decode a G.722 file, which has no header: any bytes decode, so only whole loss shows.

    Returns:
        Samples at 16 kHz, int16, ``(T,)``.

    Raises:
        ValueError: the file is empty or cannot be decoded whole.
        OSError: the file cannot be read.
    """
    num_samples = SAMPLES_PER_BYTE * path.stat().st_size
    if num_samples == 0:
        raise ValueError(f"{path}: empty")
    try:
        with av.open(str(path), format="g722") as container:
            frames = [frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)]
    except av.error.FFmpegError as error:
        raise ValueError(f"{path}: {error}") from error
    samples = np.concatenate(frames) if frames else np.empty(0, np.int16)
    if len(samples) != num_samples:
        raise ValueError(f"{path}: {len(samples)} of {num_samples} samples decoded")
    return samples


def has_samples(path: Path, num_samples: int) -> bool:
    """Whether `path` is a whole 16-bit mono wav file of `num_samples` samples."""
    try:
        with wave.open(str(path), "rb") as file:
            is_whole = file.getparams()[:4] == (1, 2, SAMPLE_RATE, num_samples)
            return is_whole and len(file.readframes(num_samples)) == 2 * num_samples
    except (OSError, EOFError, wave.Error):
        return False


def convert_g722(source: Path, target: Path) -> float:
    """Decode `source` to a 16-bit wav file, unless `target` is that already.

    Returns:
        Duration in seconds.

    Raises:
        ValueError, OSError: as `decode_g722`.
    """
    num_samples = SAMPLES_PER_BYTE * source.stat().st_size
    if num_samples == 0 or not has_samples(target, num_samples):
        samples = decode_g722(source)
        temporary = target.with_suffix(".wav.tmp")
        with wave.open(str(temporary), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(SAMPLE_RATE)
            file.writeframes(samples.astype("<i2").tobytes())
        temporary.replace(target)
    return num_samples / SAMPLE_RATE


def collect_utterances(
    corpus_dir: Path, audio_dir: Path
) -> tuple[dict[str, Utterance], list[Dropped]]:
    """Decode all spoken prompts of the corpus into `audio_dir`.

    Returns:
        Utterances by id, and the prompts, lines and audio files that give none, with the cause:
        ``bad_utf8``, ``bad_line``, ``duplicate_key`` (lines of the list), ``non_speech`` (a
        remark and no word), ``empty_text``, ``no_audio``, ``bad_audio`` (empty, undecodable or
        too short for its text), ``no_text`` (audio that the list does not know).

    Raises:
        CorpusError: the list or all of the audio is missing or unreadable.
    """
    list_path = find_prompt_list(corpus_dir)
    try:
        prompts, bad_lines = read_prompt_list(list_path)
    except OSError as error:
        raise CorpusError(f"{list_path}: {error}") from error
    sounds_dir = find_sounds_dir(corpus_dir, [prompt.key for prompt in prompts])
    dropped = [Dropped(f"line_{line.number}", line.cause, line.text) for line in bad_lines]
    utterances: dict[str, Utterance] = {}
    audio_dir.mkdir(parents=True, exist_ok=True)
    for key, text in tqdm(prompts, desc="decode", unit="file", disable=None, leave=False):
        source = sounds_dir / f"{key}.g722"
        words = normalize_text(text)
        if not words:
            dropped.append(Dropped(key, "non_speech" if has_remark(text) else "empty_text", text))
        elif not source.is_file():
            dropped.append(Dropped(key, "no_audio", text))
        else:
            target = (audio_dir / f"{key.replace('/', '__')}.wav").resolve()
            try:
                seconds = convert_g722(source, target)
            except ValueError as error:
                dropped.append(Dropped(key, "bad_audio", f"{text} ({error})"))
                continue
            if len(words) > MAX_CHARS_PER_SECOND * seconds:
                dropped.append(Dropped(key, "bad_audio", f"{text} ({source}: {seconds:.2f} s)"))
                continue
            utterances[make_utt_id(key)] = Utterance(str(target), words, SPEAKER, seconds)
    known = {sounds_dir / f"{prompt.key}.g722" for prompt in prompts}
    for path in sorted(set(sounds_dir.rglob("*.g722")) - known):
        key = path.relative_to(sounds_dir).with_suffix("").as_posix()
        dropped.append(Dropped(key, "no_text", ""))
    return utterances, dropped


def prepare_asterisk(corpus_dir: Path, audio_dir: Path, data_dir: Path) -> Prepared:
    """Write ``data_dir/{train,valid,test}`` and ``data_dir/dropped`` from the corpus.

    Args:
        corpus_dir: Folder with ``core-sounds-en.txt[.gz]`` and the ``.g722`` files below it.
        audio_dir: Folder for the decoded audio; whole files there are kept.
        data_dir: Folder for the data directories; those there are replaced.

    Raises:
        CorpusError: `corpus_dir` does not hold the corpus, or nothing of it can be used.
    """
    utterances, dropped = collect_utterances(corpus_dir, audio_dir)
    if not utterances:
        raise CorpusError(f"{corpus_dir}: none of its {len(dropped)} prompts can be used")
    texts = {utt_id: utterance.text for utt_id, utterance in utterances.items()}
    split = split_by_text(texts, NUM_VALID, NUM_TEST)
    for name, utt_ids in split._asdict().items():
        write_data_dir(data_dir / name, {utt_id: utterances[utt_id] for utt_id in utt_ids})
    write_lines(data_dir / "dropped", (" ".join(entry).rstrip() for entry in sorted(dropped)))
    return Prepared(utterances, split, dropped)


def describe(prepared: Prepared) -> str:
    """Return counts, durations and group sizes of a prepared corpus, for people."""
    utterances, split, dropped = prepared
    words = {utt_id: utterance.text.split() for utt_id, utterance in utterances.items()}
    known = {word for utt_id in split.train for word in words[utt_id]}
    lines = []
    for name, utt_ids in split._asdict().items():
        seconds = sum(utterances[utt_id].seconds for utt_id in utt_ids)
        spoken = [word for utt_id in utt_ids for word in words[utt_id]]
        unseen = sum(word not in known for word in spoken) / max(len(spoken), 1)
        lines.append(
            f"{name:<6} {len(utt_ids):4} utterances {seconds:7.1f} s {len(spoken):5} words, "
            f"{unseen:.1%} of them not in train"
        )
    groups = group_near_copies({utt_id: utt.text for utt_id, utt in utterances.items()})
    sizes = sorted(Counter(map(len, groups)).items())
    lines.append(
        f"{len(groups)} groups of near copies: "
        + ", ".join(f"{count} of {size}" for size, count in sizes)
    )
    lines.append(count_dropped(entry.cause for entry in dropped))
    return "\n".join(lines)
