"""Responses of rooms by the image method (Allen & Berkley, "Image method for efficiently simulating
small-room acoustics", J. Acoust. Soc. Am. 65(4), 1979, https://doi.org/10.1121/1.382599).

A wall's echo is the sound of a mirror image of the source, and echoes of echoes are those of images
of images, which form a lattice. Differences from the paper: all walls reflect alike, by a
coefficient that Eyring's formula gives for a time of reverberation; the sound that comes straight
is moved to delay 0, so that words stay where they are.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import scipy.signal

SOUND_SPEED = 343.0  # m/s
SHORTEST, LONGEST = (3.0, 3.0, 2.5), (8.0, 6.0, 3.5)  # sides of rooms that are drawn, m
WALL_DISTANCE = 0.3  # of source and microphone at least, m
NEAREST, FARTHEST = 0.5, 3.0  # distance of source and microphone, m


class Room(NamedTuple):
    """A box with a source and a microphone in it.

    Attributes:
        sides: lengths in m, x, y and z.
        source, microphone: their places, m from a corner.
        rt60: time in which the sound falls by 60 dB, seconds, by Eyring's formula.
    """

    sides: tuple[float, ...]
    source: tuple[float, ...]
    microphone: tuple[float, ...]
    rt60: float

    @property
    def reflection(self) -> float:
        """What is left of a sound's pressure after a wall: ``sqrt(1 - absorption)`` with Eyring's
        ``rt60 = -24 ln(10) V / (c S ln(1 - absorption))``, V the volume, S the area of walls."""
        x, y, z = self.sides
        area = 2 * (x * y + y * z + z * x)
        return math.exp(-12 * math.log(10) * x * y * z / (SOUND_SPEED * area * self.rt60))


def draw_room(rt60: float, rng: np.random.Generator) -> Room:
    """A room with sides, source and microphone drawn at random."""
    sides = rng.uniform(SHORTEST, LONGEST)
    while True:
        source, microphone = rng.uniform(WALL_DISTANCE, sides - WALL_DISTANCE, (2, 3))
        if NEAREST <= math.dist(source, microphone) <= FARTHEST:
            return Room(tuple(sides), tuple(source), tuple(microphone), rt60)


def image_response(room: Room, sample_rate: int) -> np.ndarray:
    """Response ``(N,)`` of a room, of its ``rt60`` seconds: 1 at delay 0, the sound that comes
    straight; each other image adds its pressure at the sample next to its delay.

    Raises:
        ValueError: source and microphone are at one place.
    """
    straight = math.dist(room.source, room.microphone)
    if not straight:
        raise ValueError("source and microphone are at one place")
    first = round(straight / SOUND_SPEED * sample_rate)
    size = max(1, round(room.rt60 * sample_rate))
    farthest = (first + size) / sample_rate * SOUND_SPEED
    (x_squares, x_walls), y_axis, z_axis = (
        _images_on_axis(*axis, farthest)
        for axis in zip(room.sides, room.source, room.microphone, strict=True)
    )
    # The plane of y and z, nearest first: of each x, those in reach are the first ones.
    squares = (y_axis[0][:, None] + z_axis[0]).ravel()
    order = np.argsort(squares)
    squares, walls = squares[order], (y_axis[1][:, None] + z_axis[1]).ravel()[order]
    plane = room.reflection**walls
    response = np.zeros(size + 1)
    for x_square, x_wall in zip(x_squares, x_walls, strict=True):
        reach = np.searchsorted(squares, farthest**2 - x_square)
        distances = np.sqrt(squares[:reach] + x_square)
        delays = np.rint(distances * (sample_rate / SOUND_SPEED)).astype(np.intp) - first
        pressures = plane[:reach] * (room.reflection**x_wall * straight) / distances
        response += np.bincount(delays, pressures, size + 1)[: size + 1]
    return response[:size]


def _images_on_axis(
    side: float, source: float, microphone: float, farthest: float
) -> tuple[np.ndarray, np.ndarray]:
    """Of images in reach, along one axis: squared distances from the microphone, and how many walls
    reflected each. Images are at ``2 n side + source`` (2 |n| walls) and at ``2 n side - source``
    (|n| + |n - 1| walls)."""
    most = int(farthest / (2 * side)) + 2
    n = np.arange(-most, most + 1)
    places = np.concatenate([2 * n * side + source, 2 * n * side - source])
    walls = np.concatenate([2 * np.abs(n), np.abs(n) + np.abs(n - 1)])
    squares = np.square(places - microphone)
    near = squares <= farthest**2
    return squares[near], walls[near]


def room_response(room: Room, sample_rate: int) -> np.ndarray:
    """`image_response` with frequencies below 0.01 of the sampling rate weakened, as in the paper:
    all images have pressures of one sign, which adds up to a hum that no room has."""
    high_pass = scipy.signal.butter(2, 0.01, "highpass", fs=1.0, output="sos")
    return scipy.signal.sosfilt(high_pass, image_response(room, sample_rate))


def reverberate(speech: np.ndarray, response: np.ndarray) -> np.ndarray:
    """Speech ``(N,)`` in a room, ``(N,)``: what lasts longer than the speech is cut off."""
    return scipy.signal.oaconvolve(speech, response)[: len(speech)]
