"""The LLM that hears: what users of the library call."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

import torch

from espnet_ssr.align.abs import AbsAligner
from espnet_ssr.connector.heads import Posteriors
from espnet_ssr.speech_lm.audio import Speech, Wave
from espnet_ssr.speech_lm.folder import ModelFiles, find_model
from espnet_ssr.speech_lm.generate import (
    find_stop_tokens,
    generate_texts,
    stream_text,
    stream_tokens,
)
from espnet_ssr.speech_lm.load import LoadedModel, load_model
from espnet_ssr.speech_lm.score import Score, score_rows, scoring_row
from espnet_ssr.speech_lm.segments import Segments
from espnet_ssr.speech_lm.sequence import (
    Mixed,
    SequenceBuilder,
    as_parts,
    as_speech,
    fill_marks,
    hear_parts,
)

Utterances = Speech | Wave | Sequence["Speech | Wave"]
T = TypeVar("T")
Found = T | tuple[T, Posteriors] | list[T] | list[tuple[T, Posteriors]]
"""Of an utterance or of several, with posteriors or without."""


class SpeechLM:
    """A trained connector in front of its LLM.

    Audio is a NumPy array or torch tensor of mono samples, a file's path, or ``Speech``, which says
    its rate and maybe its transcript. Without a transcript, it may be of any length: it is heard in
    windows of at most 30 s. Silence is no error: where the aligner hears no words there are no
    segments and no vectors, and the LLM reads nothing, which is logged.

    Attributes:
        files: what it was loaded from; ``espnet_ssr.speech_lm.pack(lm.files, folder)`` copies them.
        prompts: task -> what the LLM reads before it writes, with ``<speech>`` in it, for
            ``generate``.
    """

    def __init__(self, loaded: LoadedModel, files: ModelFiles):
        self.files = files
        self.listener, self.llm, self.tokenizer, prompts = loaded
        self.prompts = {task: text.partition("<text>")[0] for task, text in prompts.items()}
        self._sequences = SequenceBuilder(self.llm, self.tokenizer)

    @classmethod
    def from_pretrained(
        cls,
        name: str | os.PathLike,
        device: str = "cpu",
        dtype: str | torch.dtype | None = None,
        aligner: AbsAligner | str | os.PathLike | None = None,
        **options,
    ) -> SpeechLM:
        """Load a model.

        Args:
            name: a checkpoint of a training (``exp/.../valid.loss.ave.pth``), a packed folder, or
                a hub id.
            device: a torch device.
            dtype: of the LLM's weights (``bfloat16``); None: as in training.
            aligner: cuts speech into segments: a checkpoint, or an aligner; None: as packed.
            options: see ``ModelFiles``; ``encoder`` and ``encoder_conf`` of a checkpoint that was
                trained on extracted features.
        """
        given = isinstance(aligner, AbsAligner)
        if aligner is not None and not given:
            options["aligner"] = os.fspath(aligner)
        files = find_model(name, **options)
        return cls(load_model(files, device, dtype, aligner if given else None), files)

    def segment(
        self,
        wav: Utterances,
        text: str | Sequence[str] | None = None,
        sample_rate: int = 16000,
        nbest: int | None = None,
    ) -> Found[Segments]:
        """Ends of segments in seconds: one for each token of the text; without text, one for each
        word that the aligner hears (or as ``textless_unit`` of ``ModelFiles`` says).

        With ``nbest``, a pair with posteriors, as of ``embed``. A list of utterances gives a list.

        Raises:
            ValueError: as ``embed``; or posteriors are asked for and the connector makes its
                vectors without segments.
        """
        speeches = _as_speeches(wav, text, sample_rate)
        if nbest is None:
            found = self.listener.segment(speeches)
        elif self.listener.model.connector.needs_segmentation:
            found = [(h.segments, h.posteriors) for h in self.listener.hear(speeches, nbest)]
        else:
            raise ValueError(
                "nbest: this connector's vectors are not those of segments: ask embed for "
                "posteriors"
            )
        return found if isinstance(wav, (list, tuple)) else found[0]

    def embed(
        self,
        wav: Utterances,
        text: str | Sequence[str] | None = None,
        sample_rate: int = 16000,
        nbest: int | None = None,
    ) -> Found[torch.Tensor]:
        """Vectors ``(N, H)`` in the LLM's embedding space, float32 on the CPU.

        With text, one for each of its tokens; without, one for each segment that ``segment`` gives.
        Connectors that need no segments need no aligner, and decide by themselves how many
        vectors there are. A list of utterances gives a list.

        Args:
            nbest: give a pair of the vectors and their ``Posteriors``: the so many most likely
                tokens of each vector, and the entropy of all. For connectors with a hull head.

        Raises:
            ValueError: an utterance cannot be heard; or posteriors are asked for and the connector
                has none.
        """
        heard = self.listener.hear(_as_speeches(wav, text, sample_rate), nbest)
        found = [h.vectors if nbest is None else (h.vectors, h.posteriors) for h in heard]
        return found if isinstance(wav, (list, tuple)) else found[0]

    def nearest(self, vectors: torch.Tensor) -> list[str]:
        """The token whose embedding is the nearest to each of vectors ``(N, H)``, as text."""
        return self.spell(self._sequences.nearest(vectors))

    def spell(self, token_id: torch.Tensor) -> list:
        """Tokens ``(N,)`` or ``(N, n)``, each as text, in lists of the same form."""
        if token_id.dim() > 1:
            return [self.spell(row) for row in token_id]
        return [self.tokenizer.decode([i]) for i in token_id.tolist()]

    def generate(
        self,
        prompt: str | Sequence[str],
        speech: Sequence = (),
        max_tokens: int = 256,
        stream: bool = False,
        stop_at_newline: bool = True,
    ) -> str | list[str] | Iterator[str]:
        """What the LLM writes after a prompt, greedily: the likeliest token again and again.

        Args:
            prompt: text with a ``<speech>`` for each utterance; or several prompts.
            speech: the utterances; of several prompts, a list for each.
            max_tokens: at most so many, and no more than the LLM's context has room for.
            stream: give an iterator of pieces of text instead, of one prompt.
            stop_at_newline: stop before a token with a line break, as transcripts do, not only at
                the LLM's own end.

        Raises:
            ValueError: not as many marks as utterances, no room for a token, or bad audio.
        """
        several = not isinstance(prompt, str)
        if several and stream:
            raise ValueError("stream: give one prompt at a time")
        prompts, speeches = (prompt, speech) if several else ([prompt], [speech])
        if len(prompts) != len(speeches):
            raise ValueError(f"{len(prompts)} prompts, but speech for {len(speeches)}")
        parts = [fill_marks(text, _as_list(s)) for text, s in zip(prompts, speeches, strict=True)]
        rows = [self._sequences.begin(r) for r in hear_parts(parts, self.listener)]
        limits = [self._room(row, max_tokens) for row in rows]
        stop = find_stop_tokens(self.llm, self.tokenizer, stop_at_newline)
        if stream:
            ids = stream_tokens(rows[0], limits[0], self.llm, stop)
            return stream_text(ids, self.tokenizer)
        texts = generate_texts(rows, limits, self.llm, self.tokenizer, stop)
        return texts if several else texts[0]

    def chat(
        self,
        messages: Sequence[dict[str, str]],
        speech: Sequence = (),
        max_tokens: int = 256,
        stream: bool = False,
    ) -> str | Iterator[str]:
        """The LLM's next turn, by its chat template.

        Args:
            messages: ``{"role": "user", "content": "What is said? <speech>"}`` and so on.
            speech: an utterance for each ``<speech>`` of all messages, in order.
            max_tokens, stream: see ``generate``.

        Raises:
            ValueError: the LLM has no chat template, and as ``generate``.
        """
        if not self.tokenizer.chat_template:
            raise ValueError("this LLM has no chat template: use generate")
        prompt = self.tokenizer.apply_chat_template(
            list(messages), tokenize=False, add_generation_prompt=True
        )
        return self.generate(prompt, speech, max_tokens, stream, stop_at_newline=False)

    def score(self, context: Mixed, continuation: Mixed) -> Score:
        """Log-likelihood of a continuation's tokens given the context; see ``score_pairs``."""
        return self.score_pairs([(context, continuation)])[0]

    def score_pairs(self, pairs: Sequence[tuple[Mixed, Mixed]]) -> list[Score]:
        """Log-likelihoods of continuations given their contexts, in batches.

        Either may be text, audio, or a list of both. Only tokens have a likelihood. Of speech in a
        continuation they are those of its transcript (``Speech(wav, text=...)``), without one the
        nearest of each vector: token ``t`` is predicted from the context and the vectors before
        ``t``, ``log p(y_t | context, z_<t)``, as in the training task ``continue``. Without any
        context, not even a token that the tokenizer puts before every text, the first token is
        not predicted. Texts are tokenized each by itself: a continuation has its own space.

        Raises:
            ValueError: nothing to score, speech in a continuation although the connector's vectors
                stand for no tokens, more than the LLM's context has room for, or bad audio.
        """
        if not self.listener.model.connector.token_aligned:
            _refuse_speech(continuation for _, continuation in pairs)
        parts = [as_parts(mixed) for pair in pairs for mixed in pair]
        heard = hear_parts(parts, self.listener)
        rows = []
        for context, continuation in zip(heard[::2], heard[1::2], strict=True):
            row = scoring_row(
                self._sequences.begin(context),
                self._sequences.vectors(continuation),
                self._sequences.tokens(continuation),
            )
            self._sequences.check_length(len(row.inputs), "context and continuation")
            rows.append(row)
        return score_rows(rows, self.llm)

    def _room(self, row: torch.Tensor, max_tokens: int) -> int:
        """How many tokens may be written after a row."""
        if not len(row):
            raise ValueError("the prompt is empty, and the LLM has nothing to begin from")
        if max_tokens < 1:
            raise ValueError(f"max_tokens must be at least 1, not {max_tokens}")
        limit = self._sequences.limit
        self._sequences.check_length(len(row) + 1, "the prompt and a token after it")
        return max_tokens if limit is None else min(max_tokens, limit - len(row))


def _refuse_speech(continuations: Iterable[Mixed]) -> None:
    if any(isinstance(part, Speech) for mixed in continuations for part in as_parts(mixed)):
        raise ValueError(
            "this connector's vectors do not stand for a token each, so speech can only be scored "
            "as a context"
        )


def _as_list(speech: Sequence) -> list[Speech]:
    if not isinstance(speech, (list, tuple)):
        raise TypeError(f"speech: a list of utterances, not {type(speech).__name__}")
    return [as_speech(wav) for wav in speech]


def _as_speeches(
    wav: Utterances, text: str | Sequence[str] | None, sample_rate: int
) -> list[Speech]:
    several = isinstance(wav, (list, tuple))
    waves = wav if several else [wav]
    texts = text if several and text is not None else [text] * len(waves)
    if isinstance(texts, str) or len(texts) != len(waves):
        raise ValueError(f"{len(waves)} utterances: give a list of as many texts, or none")
    return [as_speech(w, sample_rate, t) for w, t in zip(waves, texts, strict=True)]
