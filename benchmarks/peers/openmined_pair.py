"""One pairwise intersection with openmined-psi (DH over P-256), both sides in this process; prints JSON.

Runs inside the peer's own environment: it imports nothing of Crosslight. Usage: openmined_pair.py SIZE
"""

import json
import sys
import time

import private_set_intersection.python as psi


def main(size: int) -> None:
    """Two sets of `size` phone numbers, half of them shared; CPU seconds of client and server together."""
    mine = [f"+4479{index:09d}" for index in range(size)]
    theirs = [f"+4479{index + size // 2:09d}" for index in range(size)]
    started = time.process_time()
    client, server = psi.client.CreateWithNewKey(True), psi.server.CreateWithNewKey(True)
    setup = server.CreateSetupMessage(0.0, size, theirs, psi.DataStructure.RAW)
    response = server.ProcessRequest(client.CreateRequest(mine))
    shared = len(client.GetIntersection(setup, response))
    cpu_seconds = time.process_time() - started
    if shared != size - size // 2:
        raise SystemExit(f"openmined-psi found {shared} shared values, expected {size - size // 2}")
    print(json.dumps({"size": size, "shared": shared, "cpu_seconds": cpu_seconds}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
