"""One pairwise intersection with SecretFlow SPU's ECDH PSI, each side a process on loopback; prints JSON.

Runs inside the peer's own environment: it imports nothing of Crosslight. Usage: spu_pair.py SIZE
"""

import json
import multiprocessing
import resource
import socket
import sys
import tempfile
from pathlib import Path

import spu.libspu.link as link
import spu.psi as psi


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def one_side(rank: int, ports: list[int], folder: str, queue: "multiprocessing.Queue[int]") -> None:
    """Run one party's half of the protocol; rank 0 receives the intersection."""
    description = link.Desc()
    description.recv_timeout_ms = 300_000
    for index, port in enumerate(ports):
        description.add_party(f"party{index}", f"127.0.0.1:{port}")
    connection = link.create_brpc(description, rank)
    config = psi.PsiExecuteConfig(
        protocol_conf=psi.PsiProtocolConfig(
            protocol=psi.PsiProtocol.PROTOCOL_ECDH,
            receiver_rank=0,
            broadcast_result=False,
            ecdh_params=psi.EcdhParams(curve=psi.EllipticCurveType.CURVE_25519),
        ),
        input_params=psi.InputParams(path=f"{folder}/in{rank}.csv", selected_keys=["value"], keys_unique=True),
        output_params=psi.OutputParams(path=f"{folder}/out{rank}.csv", disable_alignment=True),
    )
    report = psi.psi_execute(config, connection)
    if rank == 0:
        queue.put(report.intersection_count)
    connection.stop_link()


def main(size: int) -> None:
    """Two sets of `size` phone numbers, half of them shared; CPU seconds of both processes together."""
    with tempfile.TemporaryDirectory() as folder:
        for rank in (0, 1):
            lines = [f"+4479{index + rank * (size // 2):09d}" for index in range(size)]
            Path(folder, f"in{rank}.csv").write_text("value\n" + "\n".join(lines) + "\n", "ascii")
        context = multiprocessing.get_context("fork")
        queue = context.Queue()
        ports = [free_port(), free_port()]
        sides = [context.Process(target=one_side, args=(rank, ports, folder, queue)) for rank in (0, 1)]
        for side in sides:
            side.start()
        for side in sides:
            side.join()
        shared = queue.get(timeout=10)
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    if shared != size - size // 2:
        raise SystemExit(f"SPU found {shared} shared values, expected {size - size // 2}")
    print(json.dumps({"size": size, "shared": shared, "cpu_seconds": usage.ru_utime + usage.ru_stime}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
