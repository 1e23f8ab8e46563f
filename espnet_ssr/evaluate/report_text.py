"""How figures are written in the reports, and what they mean."""

from __future__ import annotations

from espnet_ssr.markdown import number

FIDELITY = """\
- **cosine**, **centred cosine**: connector output against the token's embedding; *centred*: after
  subtracting the mean of all embeddings, which flatters the raw figure.
- **MSE / variance**: squared distance over the mean squared distance of embeddings from their mean.
- **token accuracy**: share of tokens whose embedding is the nearest of the whole vocabulary
  (centred cosine); *0 times*, *1-9 times*, *10-99 times*, *100+ times*: of tokens that occur so
  often in the training set.
- **WER**, **CER**: of the text that the nearest tokens spell, in per cent.
- *shuffled segments* (control): the same connector on real segments of other utterances.
- *mean embedding* (control): for every token the mean embedding of the training set's tokens. What
  it reaches is what frequent tokens have in common, and is not to be credited to a connector.
"""

TEXTLESS = """\
- *segments*: *forced*: as many as tokens; *textless*: what the aligner heard; *own*: what a
  connector that needs no segments found by itself.
- *number exact*, *within one*: share of utterances with as many segments as tokens, or one more or
  less; *surplus*: segments too many, for each token.
- *tokens found*: share of the right tokens that an alignment by edit distance finds among the
  nearest ones (for forced segments, too, so it is comparable); *centred cosine*: over utterances
  with the exact number only. Utterances in which the aligner heard nothing count as deleted.
"""

LLM = """\
- **nats a token**: minus the mean log-likelihood that the LLM gives the transcript's tokens
  after what it was given: the connector's vectors; the embeddings of the text itself (topline); the
  vectors of another utterance (control); nothing (control). Fewer is better; what *other utterance*
  gains over *nothing* is not to be credited to hearing words.
- *accuracy*: share of tokens that are the LLM's first guess after the right ones before them.
- *WER*, *CER*: of what the LLM writes after the vectors, in per cent, regardless of case and
  punctuation; *WER of the text*: after the embeddings of the text. Where that is bad the LLM cannot
  repeat what it reads, and the first says nothing about the connector.
- *going on*: nats a token if each is predicted from the vectors, or from the embeddings, of those
  before it alone. The difference is the gap between speech and text.
- *dictation*: the LLM reads a vector, writes its token, reads the next vector and so on.
"""

RETENTION = """\
- **perplexity** of a held-out text and accuracy on **BLiMP** (pairs of sentences of which the
  grammatical one should be the likelier; mean over paradigms, per cent), without any speech.
  *change*: of perplexity relative, of accuracy in points; *interval*: 95 %, paired bootstrap.
"""

KINDS = {"figures": FIDELITY, "textless": TEXTLESS, "llm": LLM, "retention": RETENTION}
"""Kind of results, a key of ``result.json`` -> what its figures mean."""


def percent(share: float | None) -> str:
    """A share in per cent, without the sign."""
    return number(None if share is None else 100 * share, 1)


def millions(count: float) -> str:
    """``4700000`` -> ``4.70 M``."""
    return number(count / 1e6, 2, " M")
