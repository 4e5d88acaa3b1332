"""`crosslight doctor`: checks this installation's cryptography, packages, data and files, or a folder of worked bytes.

Each check is a function that returns a finding; nothing is changed, and nothing secret is read.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.resources
import platform
import stat
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from cli.vectors.files import check_folder
from crypto import group, oprf, scalars, second_hpke, shares
from crypto.errors import CryptoError
from crypto.signatures import SigningKey, generate_seed, is_valid
from runtime.console import emit, json_option
from runtime.exits import ExitCode, UserError

PACKAGES = ("cryptography", "PyNaCl", "rbcl", "pyrage", "Flask", "SQLAlchemy", "http-message-signatures", "rfc8785")
"""What the security of a party rests on; their versions are shown."""

PACKAGE_DATA = {
    "broker.store": "migrations",
    "keyholder.store": "migrations",
    "clients.charity.desk": "templates",
}
"""Folders that must come with the installation, by the package that reads them."""

KEY_FILE_PATTERNS = ("*.age", "*.toml", "*.sqlite3")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: whether it is well, and a sentence."""

    name: str
    well: bool
    sentence: str


@click.command()
@click.option(
    "--vectors",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Recompute every field of the JSON files in this folder, instead of checking the installation.",
)
@click.option(
    "--home",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Also look at the permissions of the files in this party's home folder.",
)
@json_option
def doctor(vectors: Path | None, home: Path | None) -> int:
    """Check this installation, or a folder of worked protocol bytes.

    Without options: versions, the OPRF and the two HPKE implementations against each other, strict signatures, the
    data that must come with the packages, the temporary folder. With --vectors: recomputes every field of the files
    there. Ends with 8 where anything is not as it must be.
    """
    return check_vectors(vectors) if vectors is not None else check_installation(home)


def check_vectors(folder: Path) -> int:
    """Print what differs in a folder of vectors; 0 if nothing does, else 8."""
    reports = check_folder(folder)
    if not reports:
        raise UserError(f"There is no .json file in {folder}.", ExitCode.INPUT_REFUSED)
    checked = sum(report.checked for report in reports.values())
    differing = sum(len(report.differences) for report in reports.values())
    lines = [
        f"{name}: {difference.field}: {difference.reason}"
        for name, report in reports.items()
        for difference in report.differences
    ]
    if differing:
        lines.append(f"{differing} of {checked} fields in {len(reports)} files are not as computed.")
    else:
        lines.append(f"{checked} fields in {len(reports)} files checked, all as computed.")
    emit(
        {"checked": checked, "differing": differing, "files": {name: asdict(each) for name, each in reports.items()}},
        "\n".join(lines),
    )
    return ExitCode.VERIFICATION_FAILED if differing else ExitCode.OK


def check_installation(home: Path | None) -> int:
    """Print a finding a line; 0 if all is well, else 8."""
    checks: list[Callable[[], list[Finding]]] = [
        _versions,
        _oprf,
        _signatures,
        _hpke,
        _package_data,
        _temporary_folder,
    ]
    findings = [finding for check in checks for finding in check()]
    if home is not None:
        findings += permissions(home)
    well = all(finding.well for finding in findings)
    lines = [f"{'ok  ' if finding.well else 'BAD '} {finding.name}: {finding.sentence}" for finding in findings]
    lines.append("All is well." if well else "Something is not as it must be, see the lines marked BAD.")
    emit({"well": well, "findings": [asdict(finding) for finding in findings]}, "\n".join(lines))
    return ExitCode.OK if well else ExitCode.VERIFICATION_FAILED


def _versions() -> list[Finding]:
    findings = [Finding("python", sys.version_info >= (3, 11), platform.python_version())]
    for name in PACKAGES:
        try:
            findings.append(Finding(name, True, importlib.metadata.version(name)))
        except importlib.metadata.PackageNotFoundError:
            findings.append(Finding(name, False, "is not installed"))
    return findings


def _oprf() -> list[Finding]:
    """A key split two of three: any two holders give what the whole key gives, and a wrong answer is found."""
    sentence = "any two of three shares give the output of the whole key, and a false answer is refused"
    coefficients = [scalars.random_scalars(1), scalars.random_scalars(1)]
    commitments = [group.multiply_base(coefficient) for coefficient in coefficients]
    by_index = {
        index: scalars.add(coefficients[0], scalars.multiply(coefficients[1], scalars.encode(index)))
        for index in (1, 2, 3)
    }
    inputs = [b"self-check"]
    whole = oprf.outputs(inputs, oprf.blind_evaluate(coefficients[0], oprf.hash_inputs(inputs)))
    blinded = oprf.blind(inputs)
    try:
        for holder_set in ((1, 2), (1, 3), (2, 3)):
            answers = []
            for index in holder_set:
                answer = shares.evaluate_share(by_index[index], commitments, index, holder_set, blinded.elements)
                shares.verify_share(commitments, index, holder_set, blinded.elements, answer)
                answers.append(answer.elements)
            if oprf.finalize(inputs, blinded.blinds, shares.combine(answers)) != whole:
                return [Finding("oprf", False, f"holders {holder_set} do not give the output of the whole key")]
    except CryptoError as error:
        return [Finding("oprf", False, str(error))]
    try:
        false_answer = shares.Evaluation(blinded.elements, answer.proof)
        shares.verify_share(commitments, 3, (2, 3), blinded.elements, false_answer)
    except CryptoError:
        return [Finding("oprf", True, sentence)]
    return [Finding("oprf", False, "a false answer of a holder is accepted")]


def _signatures() -> list[Finding]:
    """Signs, verifies, and refuses the signature that the identity key would make hold for every message."""
    key = SigningKey(generate_seed())
    identity = b"\x01" + bytes(31)
    holds = is_valid(key.public_key, b"message", key.sign(b"message"))
    lenient = is_valid(identity, b"message", identity + bytes(32))
    if holds and not lenient:
        return [Finding("ed25519", True, "strict")]
    return [Finding("ed25519", False, "accepts what it must refuse, or refuses what it must accept")]


def _hpke() -> list[Finding]:
    if not second_hpke.available():
        return [Finding("hpke", True, "the second implementation (pycryptodome) is not installed: not cross-checked")]
    try:
        second_hpke.self_check()
    except CryptoError as error:
        return [Finding("hpke", False, str(error))]
    return [Finding("hpke", True, f"agrees with pycryptodome {second_hpke.version()}")]


def _package_data() -> list[Finding]:
    return [_data_folder(package, folder) for package, folder in PACKAGE_DATA.items()]


def _data_folder(package: str, folder: str) -> Finding:
    name = f"{package}/{folder}"
    try:
        found = importlib.resources.files(package).joinpath(folder)
        count = sum(1 for _ in found.iterdir()) if found.is_dir() else 0
    except ModuleNotFoundError:
        count = 0
    return Finding(name, count > 0, f"{count} files" if count else "is missing from this installation")


def _temporary_folder() -> list[Finding]:
    """Nobody else may rename or remove what a program puts there for a moment."""
    folder = Path(tempfile.gettempdir())
    mode = folder.stat().st_mode
    shared = bool(mode & stat.S_IWOTH) and not mode & stat.S_ISVTX
    sentence = f"{folder} has mode {stat.S_IMODE(mode):04o}"
    return [
        Finding(
            "temporary folder", not shared, sentence + (": others could replace files; run chmod +t" if shared else "")
        )
    ]


def permissions(home: Path) -> list[Finding]:
    """A finding for the folder and for each file in it that may hold secrets."""
    findings = []
    mode = stat.S_IMODE(home.stat().st_mode)
    findings.append(Finding(str(home), not mode & 0o022, f"mode {mode:04o}" + _fix(mode & 0o022, "go-w", home)))
    for path in sorted(path for pattern in KEY_FILE_PATTERNS for path in home.rglob(pattern)):
        mode = stat.S_IMODE(path.stat().st_mode)
        # Settings hold no secret, but whoever can write them chooses the documents that a party trusts.
        forbidden = 0o022 if path.suffix == ".toml" else 0o177
        well = not mode & forbidden
        findings.append(Finding(str(path), well, f"mode {mode:04o}" + _fix(not well, "600", path)))
    return findings


def _fix(needed: bool | int, change: str, path: Path) -> str:
    return f": run chmod {change} {path}" if needed else ""
