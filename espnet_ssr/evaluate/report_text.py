"""What the figures of the reports mean."""

from __future__ import annotations

from espnet_ssr.markdown import number

FIDELITY = """\
- **cosine**, **centred cosine**: connector output against the token's embedding; *centred*: after
  subtracting the mean of all embeddings, which flatters the raw figure.
- **MSE / variance**: squared distance over the mean squared distance of embeddings from their mean.
- **token accuracy**: share of tokens whose embedding is the nearest of the whole vocabulary
  (centred cosine); *0 times*, *1-9 times*, *10-99 times*, *100+ times*: of tokens that occur so
  often in the training set (*seen*: at least once, *unseen*: not at all).
- **WER**, **CER**: of the text that the nearest tokens spell, in per cent.
- *shuffled segments* (control): the same connector on real segments of other utterances.
- *mean embedding* (control): for every token the mean embedding of the training set's tokens. What
  it reaches is what frequent tokens have in common, and is not to be credited to a connector.
"""

TEXTLESS = """\
- *forced*: as many segments as tokens; *textless*: what the aligner found; *own*: what a
  connector that needs no segments found by itself.
- *number exact*, *within one*: share of utterances with as many segments as tokens, or one more or
  less; *surplus*: segments too many, for each token.
- *tokens found*: share of the right tokens that an alignment by edit distance finds among the
  nearest ones (for forced segments, too, so it is comparable); *centred cosine*: over utterances
  with the exact number only. Utterances in which the aligner found nothing count as deleted.
"""

LLM = """\
- **nats a token**: minus the mean log-likelihood that the LLM gives the transcript's tokens
  after what it was given: the connector's vectors; the embeddings of the text itself (topline); the
  vectors of another utterance (control); nothing (control). Fewer is better; what *other utterance*
  gains over *nothing* is not to be credited to words.
- *accuracy*: share of tokens that are the LLM's first guess after the right ones before them.
- *WER*, *CER*: of what the LLM writes after the vectors, in per cent, regardless of case and
  punctuation; *WER of the text*: after the embeddings of the text. Where that is bad the LLM cannot
  repeat what it reads, and the first says nothing about the connector.
- *going on*: nats a token if each is predicted from the vectors, or from the embeddings, of those
  before it alone. The difference is the gap between speech and text.
- **M** (misalignment): nats a token between what is predicted there from the embeddings of the text
  and from the vectors, KL(text || speech) over the whole vocabulary.
- *dictation*: the LLM reads a vector, writes its token, reads the next vector and so on.
"""

RETENTION = """\
- **perplexity** of a held-out text and accuracy on **BLiMP** (pairs of sentences of which the
  grammatical one should be the likelier; mean over paradigms, per cent), without any speech.
  *change*: of perplexity in per cent, of accuracy in points, with the 95 % interval of the paired
  bootstrap.
- **F** (forgetting): nats a token of that text between what the LLM predicts before and after its
  training, KL(before || after) over the whole vocabulary.
"""

CASCADE = """\
- *cascade*: the transcripts of a recognizer instead of vectors; **WER**, **CER** in per cent.
"""

KINDS = {
    "figures": FIDELITY,
    "textless": TEXTLESS,
    "llm": LLM,
    "cascade": CASCADE,
    "retention": RETENTION,
}
"""Kind of results -> what its figures mean."""


def percent(share: float | None) -> str:
    """A share in per cent, without the sign."""
    return number(None if share is None else 100 * share, 1)
