"""Corpus preparation: one importable function a corpus, called by ``egs2/*/ssr1/local``."""


class CorpusError(ValueError):
    """The folder does not hold the corpus; the message says what is missing, and where."""
