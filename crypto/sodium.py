"""libsodium's ristretto255 behind packed buffers: loads the library, walks batches by address, uses every core.

Only group.py and scalars.py call this; nothing else may import rbcl. It knows addresses and strides, no meaning.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from itertools import repeat
from pathlib import Path
from typing import Any, Final, TypeVar

# Below this many operations a part is not worth handing to another thread (a hand-over costs about 50 us).
_SMALLEST_PART: Final = 16

Operation = Callable[..., int]
Procedure = Callable[..., None]
Result = TypeVar("Result")


def _load() -> Any:
    """The libsodium that rbcl carries.

    Importing rbcl unpacks the library into the temporary folder (mode 0600) and leaves it there; once it is mapped
    the file is not needed any more, so it is removed. Where a loaded library cannot be removed (Windows) it stays.
    """
    import rbcl.rbcl

    with contextlib.suppress(OSError):
        Path(sys.modules["rbcl._sodium"].lib_path).unlink()
    return rbcl.rbcl._sodium


_LIBRARY: Final = _load()


def operation(name: str, arguments: int) -> Operation:
    """The library's function `name`, taking so many addresses and returning an int (0 for success, as a rule)."""
    function = _LIBRARY[name]  # subscribing gives a function object of our own: rbcl's argtypes are left alone
    function.argtypes = [ctypes.c_void_p] * arguments
    function.restype = ctypes.c_int
    return function  # type: ignore[no-any-return]


def procedure(name: str, arguments: int) -> Procedure:
    """As `operation`, for the functions of the library that return nothing (and cannot fail)."""
    function = _LIBRARY[name]
    function.argtypes = [ctypes.c_void_p] * arguments
    function.restype = None
    return function  # type: ignore[no-any-return]


def address(data: bytes) -> int:
    """Where the bytes of `data` lie. The caller keeps `data` alive while it uses the address, and only reads there."""
    return ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p).value or 0


class Output:
    """A zeroed buffer for results."""

    __slots__ = ("_buffer", "_length", "address")

    def __init__(self, length: int) -> None:
        self._buffer = ctypes.create_string_buffer(length)
        self._length = length
        self.address: int = ctypes.addressof(self._buffer)

    def take(self) -> bytes:
        """A copy of the whole buffer."""
        return ctypes.string_at(self.address, self._length)


def steps(start: int, stride: int, count: int) -> Iterable[int]:
    """`count` addresses from `start` on, `stride` bytes apart (0: the same one each time; negative: backward)."""
    return range(start, start + stride * count, stride) if stride else repeat(start, count)


def succeeds(function: Operation, *operands: Iterable[int]) -> bool:
    """Call `function` with the operands' next addresses until one ends or a call fails; True if none failed.

    `any` over `map` keeps the loop in C: what Python adds is about half a microsecond a call.
    """
    return not any(map(function, *operands))


def run(function: Procedure, *operands: Iterable[int]) -> None:
    """As `succeeds`, for functions that return nothing."""
    any(map(function, *operands))


class _Pool:
    """One thread a core, made when first needed and made anew in a forked child."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._executor: ThreadPoolExecutor | None = None

    @cached_property
    def workers(self) -> int:
        """The processors that this process may use when the first batch comes."""
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

    def executor(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._executor is None:
                self._executor = ThreadPoolExecutor(self.workers, thread_name_prefix="ristretto255")
            return self._executor


_pool = _Pool()


def _forget_pool() -> None:
    """A fork copies no threads: the child starts with a pool of its own."""
    global _pool
    _pool = _Pool()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)


def in_parts(work: Callable[[int, int], Result], count: int) -> list[Result]:
    """`work(start, stop)` over 0..count, in one part a core; the results in order.

    ctypes lets go of the interpreter lock during each call, so the parts run side by side. Small batches stay in
    the calling thread. `work` must not call `in_parts` itself.
    """
    parts = min(_pool.workers, count // _SMALLEST_PART)
    if parts <= 1:
        return [work(0, count)]
    bounds = [count * part // parts for part in range(parts + 1)]
    return list(_pool.executor().map(work, bounds[:-1], bounds[1:]))
