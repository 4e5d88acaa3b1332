"""What policies/ refuses: exceptions for documents, agreements and evidence, each with a sentence for people.

It knows no reason by itself; whoever refuses writes the sentence.
"""

from __future__ import annotations

from runtime.exits import ExitCode, UserError


class DocumentRefused(UserError):
    """A document that must not be relied on; the text is one plain sentence that says what is wrong with it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, ExitCode.DOCUMENTS_REFUSED)
        self.reason = reason


class AgreementRefused(DocumentRefused):
    """An agreement that contradicts itself. `path` leads to the place: names and numbers as the YAML file has them."""

    def __init__(self, reason: str, path: tuple[str | int, ...] = ()) -> None:
        super().__init__(reason)
        self.path = path


class EvidenceRefused(Exception):
    """An opening request that is refused whole: `code` for programs, `detail` for people."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
