"""Importers: corpora that others have prepared, as Kaldi data directories.

Each is a function that reads a source and returns what is in it; `sets.write_parts` makes
``data/<set>`` of that, with what it lacks of the sets valid and test taken from train.
"""
