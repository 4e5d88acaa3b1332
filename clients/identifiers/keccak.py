"""Keccak-256 as Ethereum uses it (the original padding, not FIPS 202's SHA3-256), for the check in an address's case.

Not for secrets: it finds typing errors. In Python, so that every platform takes the same addresses.
"""

from __future__ import annotations

_RATE = 136
_MASK = (1 << 64) - 1
_ROTATIONS = (
    (0, 36, 3, 41, 18),
    (1, 44, 10, 45, 2),
    (62, 6, 43, 15, 61),
    (28, 55, 25, 21, 56),
    (27, 20, 39, 8, 14),
)


def _round_constants() -> tuple[int, ...]:
    """The 24 constants of the iota step, from their linear feedback shift register."""
    constants, register = [], 1
    for _ in range(24):
        constant = 0
        for power in range(7):
            if register & 1:
                constant |= 1 << ((1 << power) - 1)
            register = (register << 1) ^ (0x171 if register & 0x80 else 0)
        constants.append(constant)
    return tuple(constants)


_CONSTANTS = _round_constants()


def _rotate(lane: int, by: int) -> int:
    return ((lane << by) | (lane >> (64 - by))) & _MASK


def _permute(state: list[list[int]]) -> list[list[int]]:
    """Keccak-f[1600]; lanes as state[x][y]."""
    five = range(5)
    for constant in _CONSTANTS:
        column = [state[x][0] ^ state[x][1] ^ state[x][2] ^ state[x][3] ^ state[x][4] for x in five]
        parity = [column[x - 1] ^ _rotate(column[(x + 1) % 5], 1) for x in five]
        moved = [[0] * 5 for _ in five]
        for x in five:
            for y in five:
                moved[y][(2 * x + 3 * y) % 5] = _rotate(state[x][y] ^ parity[x], _ROTATIONS[x][y])
        state = [[moved[x][y] ^ (~moved[(x + 1) % 5][y] & moved[(x + 2) % 5][y]) for y in five] for x in five]
        state[0][0] ^= constant
    return state


def keccak_256(message: bytes) -> bytes:
    """The digest, 32 bytes."""
    padding = bytearray(_RATE - len(message) % _RATE)
    padding[0] ^= 0x01
    padding[-1] ^= 0x80
    padded = message + padding
    state = [[0] * 5 for _ in range(5)]
    for start in range(0, len(padded), _RATE):
        for lane in range(_RATE // 8):
            at = start + 8 * lane
            state[lane % 5][lane // 5] ^= int.from_bytes(padded[at : at + 8], "little")
        state = _permute(state)
    return b"".join(state[lane % 5][lane // 5].to_bytes(8, "little") for lane in range(4))
