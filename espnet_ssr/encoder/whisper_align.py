"""Times of words and letters from the cross-attention of Whisper's decoder; nothing is trained.

The transcript is fed to the decoder letter by letter, and the heads whose attention is sharpest are
chosen for each utterance: both as in "Whisper Has an Internal Word Aligner" (arXiv 2509.09987).
OpenAI's own word times (word pieces, a fixed list of heads for each model) have twice the error.
The query of a token is that of the token before it, which is asked to predict it; the queries
before the first letter and after the last one take the silence there.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from transformers import AutoTokenizer, WhisperModel

from espnet_ssr.align.abs import AbsAligner, AlignError, AlignUtterance, Levels, align_each
from espnet_ssr.align.labels import label_alignments
from espnet_ssr.align.monotonic import MonotonicSearch
from espnet_ssr.align.project import spoken_words
from espnet_ssr.encoder.whisper import WhisperEncoder
from espnet_ssr.pretrained import resolve_model

MAX_SECONDS = 30.0
# Silence after the utterance: with none, the error of word ends is a tenth higher; with Whisper's
# own padding to 30 s it is a tenth lower, at many times the cost for short utterances.
PADDING_SECONDS = 0.5
MIN_ATTENTION = 1e-4  # a head that looks elsewhere must not forbid a path


class WhisperAligner(AbsAligner):
    """Forced alignment of words and letters; a pause belongs to the word after it.

    The score of a word (and of its letters) is the mean log-probability of its word pieces, given
    the audio and the words before: about -0.5 for the right text, -7 for one of other audio.

    Args:
        model: a local folder, a folder's name below ``$SSR_MODELS``, or a hub id.
        num_heads: how many heads are averaged; 2 to 6 are as good with tiny.en, the paper takes
            10 of Whisper medium's 384.
        language: of the transcripts, for a multilingual model, such as ``german``.
    """

    levels = ("word", "char")

    def __init__(
        self, model: str = "whisper-tiny.en", num_heads: int = 4, language: str | None = None
    ):
        path = resolve_model(model)
        self._encoder = WhisperEncoder(path)
        self.sample_rate = self._encoder.sample_rate
        # Only the plain implementation of attention gives its weights.
        whisper = WhisperModel.from_pretrained(
            path, dtype=torch.float32, attn_implementation="eager"
        )
        self._decoder = whisper.decoder.eval().requires_grad_(False)
        self._tokenizer = AutoTokenizer.from_pretrained(path)
        if language:
            self._tokenizer.set_prefix_tokens(language=language, task="transcribe")
        self._num_heads = num_heads

    def align_batch(self, utterances: Sequence[AlignUtterance]) -> list[Levels | AlignError]:
        """See ``AbsAligner``."""
        return align_each(self.align, utterances)

    @torch.no_grad()
    def align(self, utterance: AlignUtterance) -> Levels:
        """Align one utterance; raises ``AlignError``."""
        utt_id, speech, text = utterance
        words = spoken_words(text)
        if not words:
            raise AlignError("empty_text", "the transcript has no words")
        feats, num_frames = self._encode(speech)
        letters = [i for begin, end in words for i in range(begin, end)]
        # A word's first letter brings the space before it, which is one token with it.
        begins = {begin for begin, _ in words}
        pieces = self._tokenize([" " * (i in begins) + text[i] for i in letters])
        times = self._letter_times(pieces, feats, num_frames)
        scores = self._word_scores([f" {text[begin:end]}" for begin, end in words], feats)
        spread = np.repeat(scores, [end - begin for begin, end in words])
        # Punctuation is fed, as Whisper knows it, but its time is not the word's.
        spoken = [k for k, i in enumerate(letters) if text[i].isalnum()]
        offsets = [(letters[k], letters[k] + 1) for k in spoken]
        spans = [(*times[k], float(spread[k])) for k in spoken]
        return label_alignments(utt_id, text, offsets, spans)

    def _encode(self, speech: np.ndarray) -> tuple[torch.Tensor, int]:
        """Features ``(1, T, D)`` of the padded utterance, and how many are of the utterance."""
        seconds = len(speech) / self.sample_rate
        if len(speech) == 0:
            raise AlignError("empty_audio", "the audio has no samples")
        if seconds > MAX_SECONDS:
            raise AlignError(
                "too_long", f"{seconds:.1f} s of audio, Whisper hears {MAX_SECONDS:.0f} s at a time"
            )
        padding = round(min(PADDING_SECONDS, MAX_SECONDS - seconds) * self.sample_rate)
        padded = torch.nn.functional.pad(torch.from_numpy(speech), (0, padding))
        feats, _ = self._encoder(padded[None], torch.tensor([len(padded)]))
        return feats, int(seconds * self._encoder.frame_rate)

    def _tokenize(self, strings: list[str]) -> list[list[int]]:
        """Tokens of each string by itself."""
        return self._tokenizer(strings, add_special_tokens=False).input_ids

    def _letter_times(
        self, pieces: list[list[int]], feats: torch.Tensor, num_frames: int
    ) -> list[tuple[float, float]]:
        """``(start, end)`` in seconds of each letter, given its tokens (one or more)."""
        sizes = [1, *map(len, pieces), 1]  # silence, letters, silence
        search = MonotonicSearch(num_frames, sum(sizes))
        attentions = self._decode(pieces, feats, output_attentions=True).cross_attentions
        heads = torch.cat(attentions, dim=1)[0, :, -sum(sizes) :, :num_frames]
        heads = sharpest_heads(heads / heads.sum(-1, keepdim=True), self._num_heads)
        scores = heads.clamp(min=MIN_ATTENTION).log().mean(0)
        search.add(scores.T.contiguous().numpy())
        # Boundaries of tokens, of which a letter may have several.
        ends = np.cumsum(search.durations())[np.cumsum(sizes) - 1] / self._encoder.frame_rate
        return [(float(a), float(b)) for a, b in zip(ends[:-2], ends[1:-1], strict=True)]

    def _word_scores(self, words: list[str], feats: torch.Tensor) -> list[float]:
        """Mean log-probability of each word's pieces."""
        pieces = self._tokenize(words)
        tokens = torch.tensor(sum(pieces, []))
        states = self._decode(pieces, feats).last_hidden_state[0, -len(tokens) - 1 : -1]
        log_probs = (states @ self._decoder.embed_tokens.weight.T).log_softmax(-1)
        chosen = log_probs.gather(1, tokens[:, None])[:, 0]
        return [float(word.mean()) for word in chosen.split([len(p) for p in pieces])]

    def _decode(self, pieces: list[list[int]], feats: torch.Tensor, **options):
        """The decoder's output, teacher-forced."""
        tokens = self._tokenizer.prefix_tokens + sum(pieces, [])
        limit = self._decoder.max_target_positions
        if len(tokens) > limit:
            raise AlignError(
                "long_text", f"the transcript has {len(tokens)} tokens, Whisper takes {limit}"
            )
        return self._decoder(
            torch.tensor([tokens]), encoder_hidden_states=feats, use_cache=False, **options
        )


def sharpest_heads(attention: torch.Tensor, number: int) -> torch.Tensor:
    """The heads in which a frame is attended to by few tokens, and strongly.

    Args:
        attention: weights ``(heads, tokens, frames)``, each row summing to one.

    Returns:
        The ``number`` heads with the largest sum over frames of the norm of a frame's weights.
    """
    sharpness = attention.norm(dim=1).sum(1)
    return attention[sharpness.topk(min(number, len(attention))).indices]
