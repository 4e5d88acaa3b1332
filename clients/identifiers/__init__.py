"""Identifiers: what a bank writes down about a person, made into one canonical value per identifier.

Knows no file, no institution and no cryptography: text in, text or a reason out.
"""

from clients.identifiers.kind import Hints
from clients.identifiers.normaliser import normalise
from clients.identifiers.outcomes import Absent, Normalised, Outcome, PlaceholderFound, Rejected
from clients.identifiers.registry import KIND_NAMES, normalisation_versions

__all__ = [
    "KIND_NAMES",
    "Absent",
    "Hints",
    "Normalised",
    "Outcome",
    "PlaceholderFound",
    "Rejected",
    "normalisation_versions",
    "normalise",
]
