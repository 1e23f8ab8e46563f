"""Collecting answers: every kind of scorer has its place in tables."""

from espnet_ssr.evaluate.choice.collect import HEARING, KINDS, TOPLINE
from espnet_ssr.evaluate.choice.scorers.build import SCORERS


def test_kinds_are_the_scorers_in_their_order():
    assert tuple(SCORERS) == KINDS
    assert {TOPLINE, *HEARING} < set(KINDS)
