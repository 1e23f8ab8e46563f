"""Rooms: the image method against a plain loop over images."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from espnet_ssr.data.augment_room import (
    FARTHEST,
    NEAREST,
    SOUND_SPEED,
    WALL_DISTANCE,
    Room,
    draw_room,
    image_response,
    reverberate,
    room_response,
)

RATE = 4000


def plain_response(room, sample_rate):
    """Allen and Berkley's equation 10, image after image."""
    size = round(room.rt60 * sample_rate)
    straight = math.dist(room.source, room.microphone)
    first = round(straight / SOUND_SPEED * sample_rate)
    response = np.zeros(size)
    most = [int((first + size) / sample_rate * SOUND_SPEED / (2 * side)) + 2 for side in room.sides]
    for n in product(*(range(-m, m + 1) for m in most)):
        for p in product((0, 1), repeat=3):
            image = [
                (1 - 2 * q) * s + 2 * m * side
                for q, s, m, side in zip(p, room.source, n, room.sides, strict=True)
            ]
            walls = sum(abs(m - q) + abs(m) for m, q in zip(n, p, strict=True))
            distance = math.dist(image, room.microphone)
            delay = round(distance * (sample_rate / SOUND_SPEED)) - first
            if delay < size:
                response[delay] += room.reflection**walls * straight / distance
    return response


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 10_000))
def test_response_is_that_of_a_loop_over_images(seed):
    room = draw_room(0.06, np.random.default_rng(seed))
    found = image_response(room, RATE)
    assert found == pytest.approx(plain_response(room, RATE), abs=1e-9)
    assert found[0] >= 1 - 1e-9


@given(st.integers(0, 10_000))
def test_source_and_microphone_are_inside_and_near(seed):
    room = draw_room(0.4, np.random.default_rng(seed))
    assert NEAREST <= math.dist(room.source, room.microphone) <= FARTHEST
    for place in (room.source, room.microphone):
        for x, side in zip(place, room.sides, strict=True):
            assert WALL_DISTANCE <= x <= side - WALL_DISTANCE


@pytest.mark.parametrize("rt60", [0.2, 0.4, 0.6])
def test_sound_falls_in_about_the_time_asked_for(rt60):
    """Schroeder's integral from -5 to -25 dB; Eyring's formula is no exact one for boxes."""
    times = []
    for seed in range(10):
        response = room_response(draw_room(rt60, np.random.default_rng(seed)), 16000)
        energy = np.cumsum(np.square(response[::-1]))[::-1]
        decibels = 10 * np.log10(energy / energy[0])
        times.append(3 * (np.argmax(decibels < -25) - np.argmax(decibels < -5)) / 16000)
    assert 0.9 * rt60 < min(times) < max(times) < 1.6 * rt60


def test_words_stay_where_they_are():
    response = room_response(draw_room(0.5, np.random.default_rng(0)), 16000)
    click = np.zeros(8000)
    click[3000] = 1.0
    heard = reverberate(click, response)
    assert heard.shape == click.shape
    assert heard[:3000] == pytest.approx(0, abs=1e-12)
    assert heard[3000] == pytest.approx(1, abs=0.1)
    assert np.abs(heard[3001:]).max() > 0.01


@pytest.mark.parametrize("size", [1, 2, 50])
def test_short_speech(size):
    response = room_response(draw_room(0.2, np.random.default_rng(0)), 16000)
    assert reverberate(np.ones(size), response).shape == (size,)


def test_source_in_the_microphone():
    room = Room((3.0, 3.0, 3.0), (1.0, 1.0, 1.0), (1.0, 1.0, 1.0), 0.3)
    with pytest.raises(ValueError, match="at one place"):
        image_response(room, 16000)
