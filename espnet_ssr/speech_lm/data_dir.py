"""``SpeechLM`` on a Kaldi data directory: answers in files as ESPnet's inference writes them, in
processes and in shards that survive a kill."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

from espnet2.fileio.datadir_writer import DatadirWriter

from espnet_ssr.data.format import DropUtterance, Recording, describe_input, read_recording
from espnet_ssr.data.format import read_recordings as read_data_dir
from espnet_ssr.datadir import read_keyed, write_keyed
from espnet_ssr.evaluate.embedding import error_rates
from espnet_ssr.evaluate.files import write_result
from espnet_ssr.jobs import locked, part_of_job, run_processes, stamp
from espnet_ssr.progress import Progress
from espnet_ssr.shards import merge_shards, run_shards
from espnet_ssr.speech_lm.api import SpeechLM
from espnet_ssr.speech_lm.audio import Speech
from espnet_ssr.speech_lm.folder import ModelFiles
from espnet_ssr.speech_lm.load import load_model, read_prompts, read_training
from espnet_ssr.speech_lm.sequence import MARK
from espnet_ssr.text import plain

TEXT = "text"
FAILED = "failed"
SHARDS = "shards"
SHARD_SIZE = 32
SAMPLE_RATE = 16000


@dataclass(frozen=True)
class Request:
    """What the LLM is asked about each utterance.

    Attributes:
        prompt: with one ``<speech>``.
        forced: segments are those of the transcript in the data directory's ``text``.
        max_tokens: of an answer, at most.
    """

    prompt: str
    forced: bool = False
    max_tokens: int = 256

    def __post_init__(self):
        if self.prompt.count(MARK) != 1:
            raise ValueError(f"prompt {self.prompt!r}: it needs one {MARK}")


@dataclass(frozen=True)
class Machine:
    """How it is computed.

    Attributes:
        nj: processes, each with the model.
        batch_size: utterances at a time.
        device: a torch device; dtype: of the LLM's weights, None: as in training.
    """

    nj: int = 1
    batch_size: int = 16
    device: str = "cpu"
    dtype: str | None = None


def find_prompt(files: ModelFiles, task: str) -> str:
    """What the LLM reads before it writes, in a task of the model.

    Raises:
        ValueError: names the tasks that there are.
    """
    prompts = read_prompts(files, read_training(files))
    if task not in prompts:
        raise ValueError(f"no task {task!r}: choose from {', '.join(sorted(prompts))}")
    return prompts[task].partition("<text>")[0]


def answer_data_dir(
    files: ModelFiles, data_dir: Path, output_dir: Path, request: Request, machine: Machine
) -> dict:
    """Answer all utterances; what is there from a former run with the same model and request is
    kept.

    Writes ``text``, the answers; ``failed`` (``utterance cause details``), the utterances that
    could not be read or answered; and ``result.json``, how many there are of each and, if the
    data directory has a ``text``, ``wer`` and ``cer`` of the answers, regardless of case and
    punctuation. What failed counts as an empty answer.

    Returns:
        the content of ``result.json``.

    Raises:
        ValueError: nothing could be answered; says why the first one could not.
    """
    num_utterances = len(read_recordings(data_dir))
    num_shards = -(-num_utterances // SHARD_SIZE)
    machine = replace(machine, nj=max(1, min(machine.nj, num_shards)))
    job = partial(_answer_part, files, data_dir, output_dir, request, machine)
    with locked(output_dir):
        run_processes(job, machine.nj, num_utterances, "inference")
        merge_shards(output_dir / SHARDS, machine.nj, (TEXT, FAILED), output_dir)
        result = summarize(data_dir, output_dir)
        write_result(output_dir, {"model": str(files.model_file), **asdict(request), **result})
    return result


def read_recordings(data_dir: Path) -> dict[str, Recording]:
    """As stage 3 does; a segment of what is not in ``wav.scp`` is a ``ValueError``."""
    try:
        return read_data_dir(data_dir)
    except KeyError as error:
        raise ValueError(f"{data_dir / 'segments'}: {error} is not in wav.scp") from None


def _answer_part(
    files: ModelFiles,
    data_dir: Path,
    output_dir: Path,
    request: Request,
    machine: Machine,
    job: int,
) -> None:
    """One job."""
    recordings = read_recordings(data_dir)
    texts = read_keyed(data_dir / TEXT) if request.forced else {}
    part = part_of_job(list(recordings), job, machine.nj, SHARD_SIZE)
    lm = SpeechLM(load_model(files, machine.device, machine.dtype), files)
    run_shards(
        {u: describe_input(recordings[u], texts.get(u, "")) for u in part},
        output_dir / SHARDS,
        job,
        {"model": describe_model(files), "request": asdict(request), "dtype": machine.dtype},
        partial(
            answer_utterances,
            lm=lm,
            recordings=recordings,
            texts=texts,
            request=request,
            batch_size=machine.batch_size,
        ),
        SHARD_SIZE,
        "inference",
    )


def describe_model(files: ModelFiles) -> dict[str, str]:
    """What a model consists of, with the versions of its files."""
    described = {}
    for name, value in asdict(files).items():
        is_file = isinstance(value, (str, Path)) and Path(value).is_file()
        described[name] = f"{value} {stamp(value)}" if is_file else str(value)
    return described


def answer_utterances(
    utt_ids: Sequence[str],
    folder: Path,
    final_folder: Path,
    progress: Progress,
    lm: SpeechLM,
    recordings: Mapping[str, Recording],
    texts: Mapping[str, str],
    request: Request,
    batch_size: int,
) -> None:
    """Write a shard: ``text`` and ``failed``.

    Args:
        texts: transcripts, if the request is ``forced``.
    """
    failed: dict[str, str] = {}
    (folder / TEXT).touch()  # the writer makes a file with its first line
    with DatadirWriter(folder) as writer:
        for first in range(0, len(utt_ids), batch_size):
            speeches = {}
            batch = utt_ids[first : first + batch_size]
            for utt_id in batch:
                try:
                    speeches[utt_id] = _read(utt_id, recordings[utt_id], texts, request)
                except DropUtterance as drop:
                    failed[utt_id] = _one_line(" ".join(drop.args))
            for utt_id, answer in _answer(lm, speeches, request, failed).items():
                writer[TEXT][utt_id] = answer
            progress.update(len(batch))
    write_keyed(folder / FAILED, failed)


def _read(utt_id: str, recording: Recording, texts: Mapping[str, str], request: Request) -> Speech:
    """Raises ``DropUtterance`` if there is nothing to hear, or no transcript where it takes one."""
    samples = read_recording(recording, SAMPLE_RATE)
    if not len(samples):
        raise DropUtterance("empty_audio", recording.path)
    if request.forced and not texts.get(utt_id):
        raise DropUtterance("empty_text", "no transcript")
    return Speech(samples, SAMPLE_RATE, texts.get(utt_id))


def _answer(
    lm: SpeechLM, speeches: Mapping[str, Speech], request: Request, failed: dict[str, str]
) -> dict[str, str]:
    """Answers in the order of utterances; notes in ``failed`` the utterances without."""
    prompts = [request.prompt] * len(speeches)
    try:
        answers = lm.generate(prompts, [[s] for s in speeches.values()], request.max_tokens)
        return dict(zip(speeches, map(_one_line, answers), strict=True))
    except ValueError as error:
        if len(speeches) == 1:
            failed[next(iter(speeches))] = f"not_answered {_one_line(str(error))}"
            return {}
    # One of them spoils the batch.
    alone = [_answer(lm, {u: speech}, request, failed) for u, speech in speeches.items()]
    return {utt_id: answer for answers in alone for utt_id, answer in answers.items()}


def _one_line(text: str) -> str:
    return " ".join(text.split())


def summarize(data_dir: Path, output_dir: Path) -> dict:
    """Numbers of answers and, by cause, of failures; ``wer`` and ``cer`` where transcripts are
    known.

    Raises:
        ValueError: there are no answers.
    """
    answers, failed = (read_keyed(output_dir / name) for name in (TEXT, FAILED))
    if not answers:
        example = next(iter(failed.items()), ("wav.scp", "is empty"))
        raise ValueError(f"{data_dir}: no utterance could be answered; {': '.join(example)}")
    result = {
        "answered": len(answers),
        "failed": dict(Counter(value.split()[0] for value in failed.values())),
    }
    if not (data_dir / TEXT).is_file():
        return result
    known = {u: plain(text) for u, text in read_keyed(data_dir / TEXT).items()}
    scored = [u for u in (*answers, *failed) if known.get(u)]
    if missing := len(answers) + len(failed) - len(scored):
        logging.warning(f"{data_dir / TEXT}: {missing} utterances without words are not scored")
    if scored:
        texts = [plain(answers.get(u, "")) for u in scored]
        result |= error_rates([known[u] for u in scored], texts)
    return {**result, "scored": len(scored)}
