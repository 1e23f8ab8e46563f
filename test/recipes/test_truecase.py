"""Natural transcripts: the case of words, and what is spoken of written text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnet_ssr.recipes.truecase import Truecaser, natural_transcript
from espnet_ssr.text import normalize_text

TRUECASE = Truecaser(
    ["She said I met Paul.", "The will of Paul. Then will he go?"], ["Will", "Eva"]
)


def test_words_have_their_case_inside_a_sentence():
    assert TRUECASE("then i saw paul and eva") == "Then I saw Paul and Eva."
    assert TRUECASE("he will") == "He will."  # the sentences know better than the names


@given(st.text("aip '", max_size=12))
def test_truecasing_changes_no_word(text):
    words = normalize_text(text)
    assert normalize_text(TRUECASE(words)) == words


@pytest.mark.parametrize(
    ("text", "words", "transcript"),
    [
        ("Please press 1, Paul.", "please press one paul", "Please press one, Paul."),
        ("Press * now [beep]", "press star now", "Press star now."),  # no one way to read it
        ("Room 1984.", "room one nine eight four", "Room one nine eight four."),
        ("Room 1984.", None, "Room nineteen eighty-four."),
        ("I SAW PAUL", None, "I saw Paul."),
        ("i saw paul", None, "I saw Paul."),
    ],
)
def test_every_word_is_spoken(text, words, transcript):
    assert natural_transcript(text, TRUECASE, words) == transcript
