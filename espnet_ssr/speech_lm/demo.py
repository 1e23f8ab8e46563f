"""What a page about a model shows, without the page (``tools/demo.py``)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml
from matplotlib.figure import Figure

from espnet_ssr.connector.heads import HullHead, Posteriors
from espnet_ssr.speech_lm.api import SpeechLM
from espnet_ssr.speech_lm.audio import Speech, load_speech
from espnet_ssr.speech_lm.picture import draw_segments, token_spans
from espnet_ssr.speech_lm.segments import Segments
from espnet_ssr.speech_lm.sequence import MARK

RATE = 16000
MAX_SECONDS = 60.0
MAX_ANSWER = 128  # tokens
NBEST = 5
COLUMNS = ("end (s)", "most likely", *(f"{n}." for n in range(2, NBEST + 1)), "entropy (nats)")
ABOUT = (
    "# Speech for a language model\n`{llm}` ({millions:.0f} M parameters) reads one vector for "
    "each segment of what you say, in place of words. {training} Connector: `{connector}`."
)
UNTRAINED = (
    "It was never trained on speech: only the connector was. Take what it writes, answers above "
    "all, as what this model makes of such vectors, not as facts."
)
TRAINED = "It was fine-tuned on speech. It may still be wrong about what was said, and about facts."


class Demo:
    """What the page shows, without the page. All methods raise ValueError with a message for users.

    Args:
        lm: has an aligner that guesses, and a connector of its segments.
    """

    def __init__(self, lm: SpeechLM):
        if not lm.listener.model.connector.needs_segmentation:
            raise ValueError(
                "this page shows segments, but the model's connector makes none of them"
            )
        self.lm = lm

    def about(self) -> str:
        """Markdown that says which model it is."""
        config = yaml.safe_load(Path(self.lm.files.config).read_text(encoding="utf-8"))
        trained = config.get("finetune", "none") != "none"
        return ABOUT.format(
            llm=Path(self.lm.files.llm or config["llm"]).name,
            millions=sum(p.numel() for p in self.lm.llm.model.parameters()) / 1e6,
            training=TRAINED if trained else UNTRAINED,
            connector=config["connector"],
        )

    @property
    def has_posteriors(self) -> bool:
        """Whether ``listen`` gives likely tokens."""
        return isinstance(self.lm.listener.model.connector.output, HullHead)

    def listen(self, path: str | None) -> tuple[Figure, str, str, list[list[str]]]:
        """Picture, words that the aligner guesses, nearest tokens read as text, and a row of
        ``COLUMNS`` for each segment if there are posteriors."""
        speech = self._load(path)
        nbest = NBEST if self.has_posteriors else None
        (heard,) = self.lm.listener.hear([speech], nbest)
        if not len(heard.vectors):
            raise ValueError("No words are heard in this.")
        tokens = self.lm.nearest(heard.vectors)
        rows = []
        if heard.posteriors is not None:
            rows = self._table(heard.segments, heard.posteriors)
        spans = [token_spans(heard.segments, tokens), heard.segments.words]
        if rows:
            spans.append(token_spans(heard.segments, [row[-1] for row in rows]))
        picture = draw_segments(speech.wav, RATE, *spans)
        return picture, heard.segments.text, "".join(tokens).strip(), rows

    def _table(self, segments: Segments, posteriors: Posteriors) -> list[list[str]]:
        rows = []
        texts = self.lm.spell(posteriors.ids)
        of_segments = zip(segments.token_end, texts, *posteriors[1:], strict=True)
        for end, tokens, probabilities, entropy in of_segments:
            likely = [f"{t} {p:.2f}" for t, p in zip(tokens, probabilities.tolist(), strict=True)]
            padding = [""] * (NBEST - len(likely))
            rows.append([f"{end:.2f}", *likely, *padding, f"{entropy:.2f}"])
        return rows

    def transcribe(self, path: str | None) -> Iterator[str]:
        """What the LLM writes as a transcript, so far."""
        prompt = self.lm.prompts["transcribe"]
        return _growing(self.lm.generate(prompt, [self._load(path)], MAX_ANSWER, stream=True))

    def answer(self, path: str | None, question: str) -> Iterator[str]:
        """What the LLM answers, so far; the speech comes first or where ``<speech>`` is."""
        if not question.strip():
            raise ValueError("Ask something first.")
        speech = [self._load(path)]
        asked = question if MARK in question else f"{MARK}\n{question}"
        if self.lm.tokenizer.chat_template:
            messages = [{"role": "user", "content": asked}]
            return _growing(self.lm.chat(messages, speech, MAX_ANSWER, stream=True))
        return _growing(self.lm.generate(f"{asked}\nAnswer:", speech, MAX_ANSWER, stream=True))

    def _load(self, path: str | None) -> Speech:
        if path is None:
            raise ValueError("Record or upload some speech first.")
        samples = load_speech(Speech(path), "This file", RATE)
        if len(samples) > MAX_SECONDS * RATE:
            raise ValueError(
                f"That is {len(samples) / RATE:.0f} s; this page takes {MAX_SECONDS:.0f} s at most."
            )
        return Speech(samples, RATE)


def _growing(pieces: Iterator[str]) -> Iterator[str]:
    text = ""
    for piece in pieces:
        text += piece
        yield text.strip()
