"""Which transcripts are near enough."""

import pytest

from espnet_ssr.tts.gate import Gate, spoken_words


@pytest.mark.parametrize(
    ("words", "heard", "passes"),
    [
        ("the cat sat", "The cat sat.", True),
        ("in nineteen eighty four", "In 1984.", True),
        ("the web site is new", "The website is new.", True),
        ("derek sang", "Derrick sang.", True),
        ("two", "To.", True),
        ("yes", "Hmm.", False),
        ("yes", "", False),
        ("one two three four five six seven eight nine ten", "1 2 3 4 5 6 7 8 so long", True),
        ("the cat sat", "The bat sad.", False),
        ("go", "Go go go go go", False),
    ],
)
def test_gate(words, heard, passes):
    assert Gate(None, "ear").passes(words, heard) is passes


def test_what_has_no_one_reading_is_still_compared():
    assert spoken_words("It's at [10]: 3/4/2010") == "it's at three four two zero one zero"
