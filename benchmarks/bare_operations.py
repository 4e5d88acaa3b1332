"""What the protocol's group and signature operations cost by themselves: CPU seconds each, in the tightest loop.

Other benchmarks divide by these. It measures one thread and knows no message, no hash of ours and no database.

    python -m benchmarks.bare_operations
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, fields

import nacl.bindings

from crypto import group, scalars
from crypto.sodium import Output, address, operation, procedure, run, steps, succeeds

LENGTH = 32


@dataclass(frozen=True)
class BareOperations:
    """CPU seconds of one operation each: ristretto255 by libsodium through ctypes, Ed25519 by PyNaCl's libsodium."""

    hash_to_element: float
    multiply: float
    multiply_base: float
    add: float
    scalar_multiply: float
    derive_key_pair: float
    sign: float
    verify: float

    def blind(self) -> float:
        """An identifier, at the client: hash to the group, one multiplication."""
        return self.hash_to_element + self.multiply

    def evaluate(self) -> float:
        """An element, at one holder: one multiplication."""
        return self.multiply

    def prove(self) -> float:
        """An element's part of a chunk's proof, at one holder: one term of one composite."""
        return self.multiply + self.add

    def verify_proof(self) -> float:
        """An element's part in checking a chunk's proof, at the client, a holder: one term of each composite."""
        return 2 * (self.multiply + self.add)

    def finalize(self) -> float:
        """An identifier, at the client: one multiplication by a blind that was inverted with its whole chunk."""
        return 3 * self.scalar_multiply + self.multiply

    def identifier(self, holders: int = 1) -> float:
        """An identifier from its hash to its output: client and all holders of the set together."""
        each = self.evaluate() + self.prove() + self.verify_proof()
        return self.blind() + holders * each + (holders - 1) * self.add + self.finalize()

    def possession(self) -> float:
        """The key pair of an identifier and its signature for one record."""
        return self.derive_key_pair + self.sign

    def record_secret(self, holders: int = 1) -> float:
        """A record's secret, evaluated in the clear: client and all holders of the set together hash ctx themselves."""
        each = self.hash_to_element + self.evaluate() + self.prove() + self.verify_proof()
        return self.hash_to_element + holders * each + (holders - 1) * self.add


def measure(count: int = 2_000, rounds: int = 5) -> BareOperations:
    """Measure each operation `rounds` times over `count` random inputs, and take the fastest round."""
    factors, elements = scalars.random_scalars(count), group.multiply_base(scalars.random_scalars(count))
    uniform = secrets.token_bytes(64 * count)
    output, running = Output(LENGTH * count), Output(LENGTH)
    at_factors, at_elements = address(factors), address(elements)

    def each(start: int, stride: int = LENGTH) -> range:
        return range(start, start + stride * count, stride)

    def unary(name: str, source: int, stride: int = LENGTH) -> Callable[[], object]:
        function = operation(name, 2)
        return lambda: _all(succeeds(function, each(output.address), each(source, stride)))

    def sum_so_far() -> Iterable[int]:
        return steps(running.address, 0, count)

    multiply = operation("crypto_scalarmult_ristretto255", 3)
    add = operation("crypto_core_ristretto255_add", 3)
    scalar_multiply = procedure("crypto_core_ristretto255_scalar_mul", 3)
    loops: dict[str, Callable[[], object]] = {
        "hash_to_element": unary("crypto_core_ristretto255_from_hash", address(uniform), 2 * LENGTH),
        "multiply": lambda: _all(succeeds(multiply, each(output.address), each(at_factors), each(at_elements))),
        "multiply_base": unary("crypto_scalarmult_ristretto255_base", at_factors),
        "add": lambda: _all(succeeds(add, sum_so_far(), sum_so_far(), each(at_elements))),
        "scalar_multiply": lambda: run(scalar_multiply, each(output.address), each(at_factors), each(at_factors)),
        **_signature_loops(count),
    }
    return BareOperations(**{name: _fastest(loop, rounds) / count for name, loop in loops.items()})


def _signature_loops(count: int) -> dict[str, Callable[[], object]]:
    seeds = [secrets.token_bytes(LENGTH) for _ in range(count)]
    pairs = [nacl.bindings.crypto_sign_seed_keypair(seed) for seed in seeds]
    message = secrets.token_bytes(200)
    signed = [nacl.bindings.crypto_sign(message, secret) for _, secret in pairs]
    return {
        "derive_key_pair": lambda: [nacl.bindings.crypto_sign_seed_keypair(seed) for seed in seeds],
        "sign": lambda: [nacl.bindings.crypto_sign(message, secret) for _, secret in pairs],
        "verify": lambda: [
            nacl.bindings.crypto_sign_open(one, public) for one, (public, _) in zip(signed, pairs, strict=True)
        ],
    }


def _all(succeeded: bool) -> None:
    """A loop that stops early would look fast."""
    if not succeeded:
        raise RuntimeError("an operation failed while it was measured")


def _fastest(loop: Callable[[], object], rounds: int) -> float:
    times = []
    for _ in range(rounds):
        started = time.thread_time()
        loop()
        times.append(time.thread_time() - started)
    return min(times)


def main() -> None:
    """Print each operation's microseconds, and what the protocol's steps need of them."""
    bare = measure()
    for field in fields(bare):
        print(f"{field.name:>20} {asdict(bare)[field.name] * 1e6:8.2f} us")
    for name, seconds in (
        ("identifier", bare.identifier()),
        ("possession", bare.possession()),
        ("record secret", bare.record_secret()),
    ):
        print(f"{name:>20} {seconds * 1e6:8.2f} us")


if __name__ == "__main__":
    main()
