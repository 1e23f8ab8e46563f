"""Numbers, symbols and abbreviations as words; what is refused."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnet_ssr.tts.verbalize import verbalize
from espnet_ssr.tts.voice import Refused, plain_words


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("The cat's well-known, isn't it?", "The cat's well-known, isn't it?"),
        ("4 of 1,234,567", "four of one million two hundred and thirty-four thousand "
                           "five hundred and sixty-seven"),
        ("3.10, .5 and -5", "three point one zero, point five and minus five"),
        ("In 1905, 2020, the 1980s", "In nineteen oh-five, twenty twenty, the nineteen eighties"),
        ("the 1st and 22nd, '90s", "the first and twenty-second, nineties"),
        ("$5.50, $1, £1.01", "five dollars and fifty cents, one dollar, one pound and one penny"),
        ("$3 million or $2.5 billion", "three million dollars or two point five billion dollars"),
        ("50% at 350°F", "fifty percent at three hundred and fifty degrees fahrenheit"),
        ("7:05 p.m., 5:00, 5:30 AM", "seven oh five P M, five o'clock, five thirty A M"),
        ("1/2, 1 1/2, 2½, 3/4", "one half, one and a half, two and a half, three quarters"),
        ("10-15 minutes", "ten to fifteen minutes"),
        ("a 42-year-old", "a forty-two-year-old"),
        ("5 kg, 1 km, a 6-ft fence", "five kilograms, one kilometer, a six-foot fence"),
        ("Dr. Smith vs. Mr. Lee, etc.", "doctor Smith versus mister Lee, et cetera."),
        ("The U.S. Army, i.e. soldiers", "The U S Army, that is soldiers"),
        ("World War II on Jan. 5", "World War two on January five"),
        ("CO2 and B12", "C O two and B twelve"),
        ("No. 5 or #5", "number five or number five"),
        ('say "go" (now) & then...', "say go, now, and then..."),
        ("he/she is ____ here", "he slash she is blank here"),
        ("café — naïve", "cafe, naive"),
        ("the students’ end.Start", "the students end. Start"),
    ],
)  # fmt: skip
def test_read_as_words(text, spoken):
    assert verbalize(text) == spoken
    plain_words(spoken)


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (r"\frac{1}{2}", "formula"),
        ("x = 5", "formula"),
        ("2 + 2", "formula"),
        ("$x$ is real", "formula"),
        ("f(x)", "formula"),
        ("3/4/2010", "number"),
        ("9/11", "number"),
        ("a ratio of 3:1", "number"),
        ("5m long", "number"),
        ("agent 007", "number"),
        ('16 "-18 " wide', "number"),
        ("Henry VIII", "roman"),
        ("St. Louis", "abbreviation"),
        ("see www.example.org", "address"),
        ("me@example.org", "address"),
        ("[step] Go", "symbol"),
        ("the β decay", "symbol"),
        ("...", "no_words"),
        ("", "no_words"),
    ],
)
def test_refused(text, cause):
    with pytest.raises(Refused) as caught:
        verbalize(text)
    assert caught.value.cause == cause
    assert text in str(caught.value)


WRITTEN = st.text("abIV.,:;'’\"-–()/&%$°# 0123456789½é_A", max_size=20)


@given(st.one_of(st.text(max_size=20), WRITTEN))
def test_what_is_not_refused_has_one_reading(text):
    try:
        spoken = verbalize(text)
    except Refused as error:
        assert error.cause in (
            ["formula", "number", "roman", "abbreviation", "address", "symbol", "no_words"]
        )
        return
    assert re.fullmatch(r"[A-Za-z' .,;:!?-]*[A-Za-z][A-Za-z' .,;:!?-]*", spoken)
    plain_words(spoken)


@given(st.integers(0, 10**9))
def test_every_whole_number_is_read_alike_with_and_without_commas(number):
    if 1100 <= number <= 2099:
        return  # years
    assert verbalize(f"{number:,} of them") == verbalize(f"{number} of them")
