"""Align with the Montreal Forced Aligner (MFA 3), which is called as a program.

MFA ends with status 0 also where it did not align some files, or aligned all of them as unknown
words; it gives up altogether where one file is unreadable; runs that share a temporary folder
break each other; outputs of earlier runs stay. So the audio is checked first, every run has its
folders to itself, and what comes back is compared with what was asked for.
"""

from __future__ import annotations

import contextlib
import csv
import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import soundfile

from espnet_ssr.align.abs import AlignError
from espnet_ssr.align.given import GivenFolder, Matched, match_given, write_align_dir
from espnet_ssr.datadir import read_keyed, write_lines

LOG = "mfa.log"
TRAINED_MODEL = "acoustic_model.zip"


@dataclass(frozen=True)
class MFAOptions:
    """Options of ``--mfa_options``. Models are files, or names of ``mfa model download``.

    Attributes:
        dictionary: pronunciation dictionary.
        acoustic_model: its phones are those of the dictionary; not used with ``train``.
        g2p_model: makes pronunciations for words that the dictionary lacks.
        train: train an acoustic model on the utterances first. It is kept in the alignment
            folder, to be named as ``acoustic_model`` for other sets.
        config_path: MFA's configuration (YAML) of the alignment or the training.
        beam: of the search, default MFA's (10); wider is slower and finds more.
        retry_beam: for utterances that failed with ``beam``, default MFA's (40).
        single_speaker: split jobs by utterances, not by speakers, and do not adapt to speakers.
    """

    dictionary: str = "english_us_arpa"
    acoustic_model: str = "english_us_arpa"
    g2p_model: str | None = None
    train: bool = False
    config_path: str | None = None
    beam: int | None = None
    retry_beam: int | None = None
    single_speaker: bool = False

    def __post_init__(self):
        # MFA ignores what it does not understand, so nothing of that kind may reach it.
        types = {"train": bool, "single_speaker": bool, "beam": int, "retry_beam": int}
        for name, value in vars(self).items():
            wanted = types.get(name, str)
            if value is not None and type(value) is not wanted:
                raise ValueError(f"mfa_options: {name}={value}: expected {wanted.__name__}")
        for name in ("dictionary", "acoustic_model"):
            if not getattr(self, name):
                raise ValueError(f"mfa_options: {name} may not be empty")


def align_mfa(
    data_dir: Path,
    output_dir: Path,
    options: MFAOptions,
    program: Sequence[str] = ("mfa",),
    num_jobs: int = 1,
) -> str:
    """Align a data directory; write its alignment folder.

    Args:
        data_dir: Kaldi data directory with ``wav.scp text utt2spk``.
        program: the words that call MFA, e.g. ``conda run -n mfa mfa``.

    Returns:
        A line that says what was aligned; the rest is in ``failed``, by cause ``empty_text``,
        ``bad_audio``, ``not_aligned``.

    Raises:
        ValueError: there is nothing to align, or MFA did not know most of the words.
        RuntimeError: MFA failed, or aligned nothing; says what it said last.
    """
    texts, wav_scp, utt2spk = (
        read_keyed(data_dir / name) for name in ("text", "wav.scp", "utt2spk")
    )
    results: dict[str, Matched | AlignError] = {}
    for utt_id, text in texts.items():
        if fault := _find_fault(text, wav_scp[utt_id]):
            results[utt_id] = fault
    # MFA makes speakers of folders and names of files, which ids need not be.
    names = {utt_id: f"u{n:07d}" for n, utt_id in enumerate(texts) if utt_id not in results}
    if not names:
        raise ValueError(f"{data_dir}: no utterance with text and readable audio")
    with _work_folder(output_dir) as work:
        _write_corpus(work / "corpus", names, texts, wav_scp, utt2spk)
        _run_mfa(_command(program, work, options, num_jobs), work, output_dir / LOG)
        results |= _read_results(work / "output", names, texts)
        if all(isinstance(results[utt_id], AlignError) for utt_id in names):
            example = next(f"{utt_id}: {results[utt_id]}" for utt_id in names)
            raise RuntimeError(_explain(f"mfa aligned nothing ({example})", output_dir / LOG))
        _refuse_unknown_words(results, options)
        if options.train:
            shutil.move(work / TRAINED_MODEL, output_dir / TRAINED_MODEL)
    return write_align_dir(output_dir, {utt_id: results[utt_id] for utt_id in texts})


def _find_fault(text: str, wav: str) -> AlignError | None:
    """Why MFA should not be given this utterance; one unreadable file ends its whole run."""
    if not any(c.isalnum() for c in text):
        return AlignError("empty_text", "the transcript has no words")
    try:
        samples, _ = soundfile.read(wav, dtype="float32")
    except (soundfile.LibsndfileError, OSError) as error:
        return AlignError("bad_audio", f"{wav}: {error}")
    return None if len(samples) else AlignError("bad_audio", f"{wav} has no samples")


@contextlib.contextmanager
def _work_folder(output_dir: Path) -> Iterator[Path]:
    """A new folder for one run, away at its end; what a killed run left is cleared."""
    work = output_dir.absolute() / "mfa.tmp"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _write_corpus(
    corpus: Path,
    names: Mapping[str, str],
    texts: Mapping[str, str],
    wav_scp: Mapping[str, str],
    utt2spk: Mapping[str, str],
) -> None:
    """Write ``<speaker>/<name>.lab`` and, beside it, a link to the audio."""
    speakers = {speaker: f"s{n:07d}" for n, speaker in enumerate(dict.fromkeys(utt2spk.values()))}
    for utt_id, name in names.items():
        folder = corpus / speakers[utt2spk[utt_id]]
        folder.mkdir(parents=True, exist_ok=True)
        audio = Path(wav_scp[utt_id]).absolute()
        (folder / name).with_suffix(audio.suffix).symlink_to(audio)
        write_lines(folder / f"{name}.lab", [texts[utt_id]])


def _command(program: Sequence[str], work: Path, options: MFAOptions, num_jobs: int) -> list[str]:
    corpus, output = str(work / "corpus"), str(work / "output")
    if options.train:
        command = ["train", corpus, options.dictionary, str(work / TRAINED_MODEL)]
        command += ["--output_directory", output]
    else:
        command = ["align", corpus, options.dictionary, options.acoustic_model, output]
    command += ["--output_format", "json", "--clean", "--num_jobs", str(num_jobs)]
    # Not a folder that the path of the corpus begins with: MFA refuses that.
    command += ["--temporary_directory", str(work / "temporary")]
    for option, value in {
        "--g2p_model_path": options.g2p_model,
        "--config_path": options.config_path,
        "--beam": options.beam,
        "--retry_beam": options.retry_beam,
    }.items():
        command += [] if value is None else [option, str(value)]
    return [*program, *command, *(["--single_speaker"] if options.single_speaker else [])]


def _run_mfa(command: Sequence[str], work: Path, log: Path) -> None:
    print(f"calling {command[0]}, which writes to {log}", flush=True)
    with open(log, "w", encoding="utf-8") as f:
        f.write(f"{shlex.join(command)}\n")
        f.flush()
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=f,
                stderr=subprocess.STDOUT,
                env=_environment(command[0], work / "root"),
                start_new_session=True,
            )
        except (FileNotFoundError, PermissionError) as error:
            raise RuntimeError(
                f"cannot run {command[0]} ({error.strerror}): tools/installers/install_mfa.sh "
                "installs MFA"
            ) from None
        try:
            status = process.wait()
        except BaseException:
            # With the jobs that it started.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
    if status:
        raise RuntimeError(_explain(f"mfa failed with status {status}", log))


def _environment(program: str, root: Path) -> dict[str, str]:
    """Variables for a run whose root folder is new but for the models that the user downloaded."""
    user_root = Path(os.environ.get("MFA_ROOT_DIR", "~/Documents/MFA")).expanduser().absolute()
    root.mkdir()
    if (user_root / "pretrained_models").is_dir():
        (root / "pretrained_models").symlink_to(user_root / "pretrained_models")
    environment = {**os.environ, "MFA_ROOT_DIR": str(root)}
    # MFA has a Python of its own, which is not to find our modules.
    environment.pop("PYTHONPATH", None)
    if os.sep in program:
        # The programs that MFA calls are beside it.
        environment["PATH"] = f"{Path(program).absolute().parent}:{os.environ['PATH']}"
    return environment


def _explain(what: str, log: Path, lines: int = 15) -> str:
    said = log.read_text(encoding="utf-8", errors="replace").splitlines()[1:][-lines:]
    return "\n".join([f"{what}; see {log}, which ends:", *said])


def _read_results(
    output: Path, names: Mapping[str, str], texts: Mapping[str, str]
) -> dict[str, Matched | AlignError]:
    """What MFA wrote for each utterance, or ``not_aligned``."""
    source = GivenFolder(output, names)
    likelihoods = _read_likelihoods(output / "alignment_analysis.csv")
    results: dict[str, Matched | AlignError] = {}
    for utt_id, name in names.items():
        result = match_given(source, utt_id, texts[utt_id])
        if isinstance(result, AlignError) and result.cause == "missing":
            result = AlignError("not_aligned", _describe_failure(likelihoods.get(name)))
        results[utt_id] = result
    return results


def _read_likelihoods(analysis: Path) -> dict[str, str]:
    """``overall_log_likelihood`` of each file that MFA tried to align."""
    if not analysis.is_file():
        return {}
    with open(analysis, encoding="utf-8", newline="") as f:
        return {row["file"]: row["overall_log_likelihood"] for row in csv.DictReader(f)}


def _describe_failure(likelihood: str | None) -> str:
    if likelihood is None:
        return "MFA left it out: it knows none of the words, or cannot use the audio"
    if not likelihood:
        return "MFA found no path: wrong text, silence, too short audio or a low sampling rate"
    return "MFA found only silence"


def _refuse_unknown_words(results: Mapping[str, Matched | AlignError], options: MFAOptions) -> None:
    matched = [result for result in results.values() if isinstance(result, Matched)]
    words = sum(len(result.levels["word"].spans) for result in matched)
    unknown = sum(len(result.unknown) for result in matched)
    if unknown > words / 2:
        model = "the trained model" if options.train else options.acoustic_model
        raise ValueError(
            f"MFA did not know {unknown} of {words} words: the dictionary {options.dictionary} is "
            f"of other phones than {model}, or of another language than the text"
        )
