"""Geohash: a name for a small piece of the map (Gustavo Niemeyer, 2008; https://en.wikipedia.org/wiki/Geohash)."""

from __future__ import annotations

_ALPHABET = "0123456789bcdefghjkmnpqrstuvwxyz"
_BITS = 5

#: About 153 m by 153 m at the equator, 153 m by 135 m in the middle of India.
LENGTH = 7


def geohash(latitude: float, longitude: float, length: int = LENGTH) -> str:
    """Return the cell that a point is in.

    Parameters
    ----------
    latitude, longitude
        Degrees, WGS 84.
    length
        Characters; each divides a cell by 32.

    Returns
    -------
    str
    """
    ranges = [[-180.0, 180.0], [-90.0, 90.0]]
    point = (longitude, latitude)
    name, bits = "", 0
    for index in range(length * _BITS):
        axis = ranges[index % 2]
        middle = (axis[0] + axis[1]) / 2
        above = point[index % 2] >= middle
        axis[0 if above else 1] = middle
        bits = bits * 2 + above
        if index % _BITS == _BITS - 1:
            name, bits = name + _ALPHABET[bits], 0
    return name
