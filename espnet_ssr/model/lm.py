"""Training through the LLM: of a connector, of the LLM, or of both."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

import torch

from espnet_ssr.connector.abs import AbsConnector
from espnet_ssr.llm.cross_entropy import TokenScores, score_tokens
from espnet_ssr.llm.embedding import EmbeddingSpace
from espnet_ssr.llm.language_model import LanguageModel
from espnet_ssr.llm.prompt import (
    Dictation,
    Prompt,
    Row,
    predicting_states,
    start_tokens,
    stop_tokens,
    text_row,
)
from espnet_ssr.model.speech import SpeechModel
from espnet_ssr.model.spoken_text import first_line, speak

LOSSES = {"cross_entropy": "nats", "kl": "divergence"}
"""Loss -> the score of a token that it is the mean of."""


class SSRLMModel(SpeechModel):
    """Next-token prediction by an LLM that reads a connector's vectors (the paper's stage 2).

    In training each utterance gets one task, drawn by weight; in validation it gets all.

    Args:
        connector: gives the vectors.
        llm: reads them.
        prompts: task -> what stands around the vectors and what is predicted.
        tasks: task -> its weight in the draw.
        losses: weights of the ``cross_entropy`` of the tokens to be predicted, and of ``kl``: the
            divergence from what the teacher predicts when it reads the transcript's own embeddings
            in place of the vectors (knowledge distillation). Of a task without such a teacher
            (``Dictation``) it is always ``cross_entropy``.
        replay_losses: the same of tokens of a text that comes with the batch; there the teacher
            reads what the LLM reads.
        spoken_replay: share of these texts that are read as if they had been spoken
            (``espnet_ssr.model.spoken_text``), for all tasks and with the losses of speech.
        teacher: the LLM before training; None: ``llm`` knows how it was (``original``).
        autocast: compute in this type (``bfloat16``), whatever the weights are in; None: do not.
        speech: what ``SpeechModel`` takes.
    """

    def __init__(
        self,
        connector: AbsConnector,
        llm: LanguageModel,
        prompts: Mapping[str, Prompt | Dictation],
        tasks: Mapping[str, float],
        losses: Mapping[str, float] | None = None,
        replay_losses: Mapping[str, float] | None = None,
        spoken_replay: float = 0.0,
        teacher: LanguageModel | None = None,
        autocast: str | None = None,
        **speech,
    ):
        super().__init__(connector, **speech)
        self.losses = losses or {"cross_entropy": 1.0}
        self.replay_losses = replay_losses or {"cross_entropy": 1.0}
        for name, weights in (("losses", self.losses), ("replay_losses", self.replay_losses)):
            if unknown := sorted(set(weights) - set(LOSSES)):
                raise ValueError(
                    f"model_conf: {name}: unknown {unknown}; there are {', '.join(LOSSES)}"
                )
        if autocast not in (None, "bfloat16"):
            raise ValueError(f"model_conf: autocast: bfloat16 or nothing, not {autocast!r}")
        self.llm = llm
        self.prompts = dict(prompts)
        self.tasks = dict(tasks)
        self.teacher = teacher
        self.autocast = autocast
        self._check_tasks()
        self._prepare_spoken_replay(spoken_replay)
        space = EmbeddingSpace(llm.embedding_matrix())
        connector.start_at(space.mean, space.deviation)
        connector.attach(llm.embed)

    def _check_tasks(self) -> None:
        if not self.tasks:
            raise ValueError("tasks: give at least one")
        for task in self.tasks:
            if task not in self.prompts:
                raise ValueError(f"tasks: no prompt {task!r}; there are {', '.join(self.prompts)}")
            if self.prompts[task].kind != "write" and not self.connector.token_aligned:
                raise ValueError(
                    f"tasks: {task}: {type(self.connector).__name__} gives no vector for each "
                    "token; its prompt needs <text>"
                )

    def _prepare_spoken_replay(self, share: float) -> None:
        if not 0 <= share <= 1:
            raise ValueError(f"model_conf: spoken_replay: from 0 to 1, not {share}")
        if share and not self.connector.token_aligned:
            raise ValueError(
                f"model_conf: spoken_replay: {type(self.connector).__name__} gives no vector for "
                "each token, so its errors are not known"
            )
        self.spoken_replay = share
        tokenizer = next(iter(self.prompts.values())).tokenizer
        self._num_start = len(start_tokens(tokenizer))
        breaks = stop_tokens(tokenizer) if share else []
        self.register_buffer("_line_breaks", torch.tensor(breaks), persistent=False)

    def forward(
        self,
        token_id,
        token_id_lengths,
        token_end=None,
        replay_id=None,
        replay_id_lengths=None,
        utt_id=None,
        **batch,
    ):
        """One batch.

        Args:
            token_id: ``(B, M)``; token_id_lengths: ``(B,)``.
            token_end: end times ``(B, M)`` in seconds, for connectors that need segments.
            replay_id: text ``(B, R)`` beside the speech; replay_id_lengths: ``(B,)``, maybe 0.
            utt_id: ids ``(B,)``, for messages.
            batch: ``feats (B, T, D)`` and ``feats_lengths``, or ``speech (B, N)`` and
                ``speech_lengths``.

        Returns:
            ``(loss, stats, weight)``; the weight is the number of tokens that are predicted, of
            replayed text too, and the loss a mean over them.
        """
        # In validation, as in use, a connector without segments is not told the number of tokens.
        told = self.training or self.connector.needs_segmentation
        with torch.autocast(token_id.device.type, torch.bfloat16, enabled=bool(self.autocast)):
            output = self.connect(token_end, token_id_lengths if told else None, **batch)
            vectors = _unpad(output.embeds, output.lengths)
            texts = _unpad(token_id, token_id_lengths)
            spoken, replay = self._deal_replay(replay_id, replay_id_lengths)
            vectors += speak(spoken, vectors, texts, self.llm)
            loss, stats, count = self._speech_loss(vectors, texts + spoken, utt_id)
            if replay_id is not None:
                replay_loss, replayed = self._replay_loss(replay)
                loss, count = loss + replay_loss, count + replayed
                stats["replay_loss"] = replay_loss / max(count, 1)
        loss, stats = self.add_losses(loss / max(count, 1), stats, output)
        return loss, stats, torch.tensor(count, device=loss.device)

    def _speech_loss(
        self, vectors: list[torch.Tensor], texts: list[torch.Tensor], utt_ids: list[str] | None
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor], int]:
        """Sum over the tokens that are predicted, figures, and how many tokens these are."""
        work = self._deal_tasks(len(vectors))
        work.sort(key=lambda dealt: not self.prompts[dealt[0]].can_be_taught)
        rows = [self.prompts[task].fill(vectors[b], texts[b], self.llm) for task, b in work]
        taught = [(task, b) for task, b in work if self.prompts[task].can_be_taught]

        def read_text(llm: LanguageModel) -> list[Row]:
            embedded = [llm.embed(ids) for ids in texts]
            return [self.prompts[task].fill(embedded[b], texts[b], llm) for task, b in taught]

        scores = self._score(rows, read_text if taught and "kl" in self.losses else None)
        per_row = scores.nats.split([len(row.targets) for row in rows])
        _warn_not_finite(per_row, [b for _, b in work], utt_ids)
        with_teacher, without = scores.split(sum(len(row.targets) for row in rows[: len(taught)]))
        loss = _weighted(with_teacher, self.losses) + without.nats.sum()
        stats = {"nats": _mean(scores.nats), "token_accuracy": _mean(scores.correct)}
        if "kl" in self.losses:
            stats["kl"] = _mean(with_teacher.divergence)
        if not self.training:
            for task in self.tasks:
                parts = [nats for nats, (of, _) in zip(per_row, work, strict=True) if of == task]
                stats[f"nats_{task}"] = _mean(torch.cat(parts))
        return loss, stats, len(scores.nats)

    def _deal_tasks(self, utterances: int) -> list[tuple[str, int]]:
        """Tasks and the utterances that they are to be done with, task by task."""
        if not self.training:
            return [(task, b) for task in self.tasks for b in range(utterances)]
        weights = torch.tensor([float(weight) for weight in self.tasks.values()])
        drawn = torch.multinomial(weights, utterances, replacement=True).tolist()
        return [(list(self.tasks)[task], b) for b, task in enumerate(drawn)]

    def _deal_replay(
        self, ids: torch.Tensor | None, lengths: torch.Tensor | None
    ) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """Texts to be read as if they had been spoken, and others, of two tokens or more."""
        texts = [] if ids is None else _unpad(ids, lengths)
        dealt: tuple[list, list] = ([], [])
        for text in texts:
            if spoken := bool(self.spoken_replay) and bool(torch.rand(()) < self.spoken_replay):
                text = first_line(text[self._num_start :], self._line_breaks)
            if len(text) > 1:
                dealt[not spoken].append(text)
        return dealt

    def _replay_loss(self, texts: list[torch.Tensor]) -> tuple[torch.Tensor, int]:
        """Sum over the tokens that are predicted, and how many these are."""
        if not texts:
            return torch.zeros((), device=self.llm.device), 0

        def read_text(llm: LanguageModel) -> list[Row]:
            return [text_row(ids, llm) for ids in texts]

        scores = self._score(read_text(self.llm), read_text if "kl" in self.replay_losses else None)
        return _weighted(scores, self.replay_losses), len(scores.nats)

    def _score(
        self, rows: list[Row], teacher_rows: Callable[[LanguageModel], list[Row]] | None
    ) -> TokenScores:
        """Scores of the targets, row by row.

        Args:
            teacher_rows: what the teacher reads, in its own embeddings, in place of the first rows;
                None: there is no teacher.
        """
        states = predicting_states(rows, self.llm)
        targets = torch.cat([row.targets for row in rows])
        if teacher_rows is None:
            return score_tokens(self.llm.logits, states, targets)
        teacher = self.teacher or self.llm
        with torch.no_grad(), teacher.original():
            wanted = predicting_states(teacher_rows(teacher), teacher)

        def teacher_logits(part: torch.Tensor) -> torch.Tensor:
            with teacher.original():
                return teacher.logits(part)

        n = len(wanted)
        taught = score_tokens(self.llm.logits, states[:n], targets[:n], (wanted, teacher_logits))
        if n == len(states):
            return taught
        return taught.join(score_tokens(self.llm.logits, states[n:], targets[n:]))


def _warn_not_finite(
    per_row: Sequence[torch.Tensor], utterances: list[int], utt_ids: list[str] | None
) -> None:
    """Name the utterances whose scores are not finite; ESPnet then leaves out the update."""
    bad = {b for part, b in zip(per_row, utterances, strict=True) if not part.isfinite().all()}
    if bad:
        known = utt_ids or []
        names = [known[b] if b < len(known) else f"number {b} of the batch" for b in sorted(bad)]
        # An error, as ESPnet shows nothing less of processes other than the first.
        logging.error(f"the loss is not finite for {', '.join(names)}")


def _mean(scores: torch.Tensor) -> torch.Tensor:
    """Zero of nothing."""
    return scores.sum() / max(len(scores), 1)


def _weighted(scores: TokenScores, weights: Mapping[str, float]) -> torch.Tensor:
    """Weighted sum over losses and tokens."""
    return sum(weight * getattr(scores, LOSSES[name]).sum() for name, weight in weights.items())


def _unpad(rows: torch.Tensor, lengths: torch.Tensor) -> list[torch.Tensor]:
    return [row[:length] for row, length in zip(rows, lengths.tolist(), strict=True)]
