"""Binds a benchmark to one processor, so that CPU seconds can be compared.

Two busy hardware threads of one core slow each other: CPU seconds of two threads would count that against the side that
uses both. Peers and bare operations run on one; so does what is held against them.
"""

import os


def use_one_processor() -> None:
    """Bind this process, and what it starts, to the last of its processors, where the system can do that."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
