"""Prompted speech recognition: what a model writes when it is asked to repeat what it hears."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from pathlib import Path

from espnet_ssr.datadir import read_keyed, write_keyed
from espnet_ssr.evaluate.asr import score_texts
from espnet_ssr.evaluate.choice.draw import shuffled
from espnet_ssr.evaluate.choice.item import Part, Parts, Scorer
from espnet_ssr.evaluate.embedding import longest_kept
from espnet_ssr.evaluate.files import write_result
from espnet_ssr.llm.prompt import PROMPTS
from espnet_ssr.progress import Progress

ASKED_AT_A_TIME = 16


def read_spoken(data_dir: Path, limit: int | None = None) -> dict[str, Part]:
    """Utterances of a Kaldi data directory by id, the first so many.

    Raises:
        ValueError: one has no transcript.
    """
    audio, texts = read_keyed(data_dir / "wav.scp"), read_keyed(data_dir / "text")
    keys = list(audio)[:limit]
    if missing := [key for key in keys if not texts.get(key)]:
        raise ValueError(f"{data_dir / 'text'}: no transcript of {missing[0]}")
    return {key: Part(f" {texts[key]}", True, audio[key]) for key in keys}


def draw_shots(
    data_dir: Path, number: int, seed: int = 0, asked: Container[str] = ()
) -> list[Part]:
    """Utterances to be repeated before those that are ``asked``, and none of them.

    Raises:
        ValueError: there are too few others, or one has no transcript.
    """
    others = {key: part for key, part in read_spoken(data_dir).items() if key not in asked}
    if len(others) < number:
        raise ValueError(f"{data_dir}: {number} shots are wanted, there are {len(others)} others")
    return [others[key] for key in shuffled(others, seed)[:number]]


def make_prompt(
    utterance: Part, shots: Sequence[Part] = (), template: str = PROMPTS["transcribe"]
) -> Parts:
    """What a model reads before it writes.

    Args:
        utterance: is to be repeated.
        shots: others, that are repeated before it.
        template: with ``<speech>`` and ``<text>``; see ``espnet_ssr.llm.Prompt``.
    """
    before, _, rest = template.partition("<speech>")
    after, _, end = rest.partition("<text>")
    parts = []
    for shot in shots:
        parts += [Part(before), shot, Part(after), Part(f" {shot.text.strip()}"), Part(end)]
    parts += [Part(before), utterance, Part(after)]
    return tuple(part for part in parts if part.text)


def transcribe(
    scorer: Scorer,
    utterances: Mapping[str, Part],
    shots: Sequence[Part] = (),
    max_tokens: int = 128,
    template: str = PROMPTS["transcribe"],
) -> tuple[dict[str, str], dict[str, str]]:
    """What a model writes for each utterance, and why it did not for the others.

    Args:
        utterances: spoken parts by id, with their transcripts, which the model does not see if it
            is textless.
        shots: see ``make_prompt``.
        max_tokens: of a transcript.
    """
    texts: dict[str, str] = {}
    refused: dict[str, str] = {}
    progress = Progress(len(utterances), "prompted ASR")
    keys = list(utterances)
    for begin in range(0, len(keys), ASKED_AT_A_TIME):
        batch = keys[begin : begin + ASKED_AT_A_TIME]
        prompts = [make_prompt(utterances[key], shots, template) for key in batch]
        try:
            texts |= zip(batch, scorer.generate(prompts, max_tokens), strict=True)
        except ValueError:
            for key, prompt in zip(batch, prompts, strict=True):
                try:
                    texts[key] = scorer.generate([prompt], max_tokens)[0]
                except ValueError as error:
                    refused[key] = " ".join(str(error).split())
        progress.update(len(batch))
    return texts, refused


def score_prompted(texts: Mapping[str, str], utterances: Mapping[str, Part]) -> dict[str, float]:
    """``wer`` and ``cer`` regardless of case and punctuation; number of ``utterances`` and of those
    ``cut``.

    What was not written counts as nothing. A text is cut as in stage 10, by ``longest_kept``.
    """
    references = {key: part.text for key, part in utterances.items()}
    written = {key: texts.get(key, "").split() for key in references}
    limits = {key: longest_kept(len(text.split())) for key, text in references.items()}
    kept = {key: " ".join(words[: limits[key]]) for key, words in written.items()}
    cut = sum(len(words) > limits[key] for key, words in written.items())
    return {**score_texts(kept, references), "cut": cut}


def run_prompted(
    scorer: Scorer,
    utterances: Mapping[str, Part],
    output_dir: Path,
    shots: Sequence[Part] = (),
    max_tokens: int = 128,
) -> dict[str, float]:
    """``transcribe``; writes ``text``, ``failed`` and ``result.json`` and returns the last."""
    texts, refused = transcribe(scorer, utterances, shots, max_tokens)
    output_dir.mkdir(parents=True, exist_ok=True)
    write_keyed(output_dir / "text", texts)
    write_keyed(output_dir / "failed", refused)
    result = {**score_prompted(texts, utterances), "shots": len(shots), "failed": len(refused)}
    write_result(output_dir, result)
    return result
