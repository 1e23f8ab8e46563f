"""Corpus preparation: one importable function a corpus, called by ``egs2/*/ssr1/local``."""
