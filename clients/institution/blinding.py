"""From a submission's distinct identifiers to their OPRF outputs: blinded in chunks by key family, and back.

The only module of the client in which identifiers and the key holders' answers meet. Identifiers live here in memory
alone; what is written down, the journal, knows them by keyed digests.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from clients.institution.evaluation import Quorum, evaluate_chunks
from clients.institution.journal import Chunk, Journal
from clients.institution.row_digests import RowDigests
from crypto import oprf
from crypto.tags import identifier_input
from policies.terms import family_of

NamedIdentifier = tuple[str, str]
"""kind, canonical value"""

_ELEMENT = 32


@dataclass(frozen=True, slots=True)
class Outputs:
    """What could be evaluated.

    by_identifier  the 64-byte OPRF output of each identifier
    chunks         the journal's chunks that were asked, by number, and the wanted identifiers in each
    """

    by_identifier: Mapping[NamedIdentifier, bytes] = field(repr=False)
    chunks: Mapping[int, frozenset[NamedIdentifier]] = field(repr=False)

    def used_up(self, waiting: Iterable[NamedIdentifier]) -> tuple[int, ...]:
        """The chunks that nothing of `waiting` will need again."""
        still_needed = frozenset(waiting)
        return tuple(number for number, inside in self.chunks.items() if inside.isdisjoint(still_needed))


@dataclass(frozen=True, slots=True)
class _Input:
    identifier: NamedIdentifier = field(repr=False)
    encoded: bytes = field(repr=False)


class Blinder:
    """Evaluates identifiers through a quorum; what was asked before and not yet used is asked again, byte for byte."""

    def __init__(self, quorum: Quorum, journal: Journal, digests: RowDigests, epoch_id: bytes) -> None:
        self._quorum = quorum
        self._journal = journal
        self._digests = digests
        self._epoch_id = epoch_id

    def outputs(self, identifiers: Iterable[NamedIdentifier]) -> Outputs:
        """Evaluate each distinct identifier once.

        Those of a key family whose budget is spent are missing from the result. Raises TooFewHolders.
        """
        wanted = self._inputs(identifiers)
        numbered = self._chunks(wanted)
        answers = evaluate_chunks(self._quorum, [(chunk.family, chunk.elements) for chunk in numbered.values()])
        found: dict[NamedIdentifier, bytes] = {}
        for chunk, answer in zip(numbered.values(), answers, strict=True):
            if answer is not None:
                found.update(_unblind(chunk, answer, wanted))
        inside = {
            number: frozenset(wanted[digest].identifier for digest in chunk.digests if digest in wanted)
            for number, chunk in numbered.items()
        }
        return Outputs(found, inside)

    def _inputs(self, identifiers: Iterable[NamedIdentifier]) -> dict[bytes, _Input]:
        """Each distinct identifier by its keyed digest."""
        inputs: dict[bytes, _Input] = {}
        for kind, value in dict.fromkeys(identifiers):
            encoded = identifier_input(self._epoch_id, kind, value)
            inputs[self._digests.oprf_input(encoded)] = _Input((kind, value), encoded)
        return inputs

    def _chunks(self, wanted: Mapping[bytes, _Input]) -> dict[int, Chunk]:
        """The chunks that cover what is wanted, by their number in the journal; new ones are there when it returns."""
        remaining = dict(wanted)
        chosen: dict[int, Chunk] = {}
        for number, chunk in self._journal.kept().items():
            if any(remaining.pop(digest, None) is not None for digest in chunk.digests):
                chosen[number] = chunk
                for digest in chunk.digests:
                    remaining.pop(digest, None)
        by_family: dict[str, dict[bytes, bytes]] = {}
        for digest, each in remaining.items():
            by_family.setdefault(family_of(each.identifier[0]), {})[digest] = each.encoded
        new = [
            chunk
            for family, inputs in sorted(by_family.items())
            if self._quorum.has_budget(family)
            for chunk in _blind(family, inputs)
        ]
        chosen.update(zip(self._journal.keep(new), new, strict=True))
        return chosen


def _blind(family: str, inputs: Mapping[bytes, bytes]) -> list[Chunk]:
    """New chunks of at most 512 over the inputs (by digest), blinded all at once."""
    digests = list(inputs)
    blinded = oprf.blind(list(inputs.values()))
    chunks = []
    for start in range(0, len(digests), oprf.CHUNK_LIMIT):
        end = start + oprf.CHUNK_LIMIT
        part = slice(start * _ELEMENT, end * _ELEMENT)
        chunks.append(Chunk(family, tuple(digests[start:end]), blinded.blinds[part], blinded.elements[part]))
    return chunks


def _unblind(chunk: Chunk, answer: bytes, wanted: Mapping[bytes, _Input]) -> dict[NamedIdentifier, bytes]:
    """The outputs of those inputs of the chunk that are wanted: a chunk of a killed run may hold others too."""
    places = [place for place, digest in enumerate(chunk.digests) if digest in wanted]
    inputs = [wanted[chunk.digests[place]] for place in places]
    if len(places) == len(chunk.digests):
        blinds, evaluated = chunk.blinds, answer
    else:
        blinds, evaluated = _select(chunk.blinds, places), _select(answer, places)
    outputs = oprf.finalize([each.encoded for each in inputs], blinds, evaluated)
    return {each.identifier: output for each, output in zip(inputs, outputs, strict=True)}


def _select(packed: bytes, places: list[int]) -> bytes:
    return b"".join(packed[place * _ELEMENT : (place + 1) * _ELEMENT] for place in places)
