"""What the console does in the background: one verification or replay at a time, with how far it is.

Knows threads and progress; what is done is given.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from runtime.exits import UserError

Work = Callable[["Task"], str]


@dataclass
class Task:
    """The running work, or how the last one ended."""

    title: str = ""
    done: int = 0
    total: int = 0
    outcome: str = ""
    trouble: str = ""
    running: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def start(self, title: str, work: Work) -> bool:
        """Begin `work` in a thread of its own, unless other work is running; it returns a sentence about its end."""
        with self._lock:
            if self.running:
                return False
            self.title, self.done, self.total, self.outcome, self.trouble, self.running = title, 0, 0, "", "", True
        threading.Thread(target=self._run, args=(work,), daemon=True).start()
        return True

    def advance(self, number: int) -> None:
        """So much more is done."""
        self.done += number

    def _run(self, work: Work) -> None:
        try:
            self.outcome = work(self)
        except UserError as error:
            self.trouble = error.message
        finally:
            self.running = False
