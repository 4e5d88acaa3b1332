"""The shell of a service: health, readiness and metrics, and a real server with several workers."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

from runtime.metrics import counter
from runtime.service import create_base_app

PROGRAM = """
import os, sys
from runtime.logs import configure_logging
from runtime.server import serve
configure_logging("shell")
def build():
    from runtime.service import create_base_app
    app = create_base_app("shell")
    @app.get("/pid")
    def pid():
        return str(os.getpid())
    return app
def say(text):
    print(text, flush=True)
serve(build, sys.argv[1], 2, 2, when_ready=lambda: say("ready"), on_exit=lambda: say("over"))
"""


def test_readiness_names_what_is_not_ready() -> None:
    def broken() -> str:
        raise RuntimeError("900123")

    app = create_base_app("x", checks={"epoch": lambda: "no epoch yet", "database": lambda: None, "other": broken})
    response = app.test_client().get("/readyz")
    assert response.status_code == 503
    assert response.json == {
        "status": "not ready",
        "checks": {"epoch": "no epoch yet", "database": "ready", "other": "the check itself failed, see the log"},
    }
    assert create_base_app("y").test_client().get("/readyz").status_code == 200
    assert app.test_client().get("/healthz").json == {"status": "alive"}


def test_metrics_are_for_the_operators_network_and_never_through_a_proxy() -> None:
    app = create_base_app("metrics-test", metrics_from=["10.0.0.0/8"])
    client = app.test_client()
    client.get("/healthz")
    own = {"REMOTE_ADDR": "10.1.2.3"}
    body = client.get("/metrics", environ_overrides=own).text
    assert 'crosslight_requests_total{method="GET",route="/healthz",service="metrics-test",status="200"} 1.0' in body
    assert client.get("/metrics", environ_overrides={"REMOTE_ADDR": "192.0.2.1"}).status_code == 403
    assert client.get("/metrics", environ_overrides={"REMOTE_ADDR": ""}).status_code == 403
    assert client.get("/metrics", environ_overrides=own, headers={"X-Forwarded-For": "10.1.2.3"}).status_code == 403


def test_unknown_methods_and_paths_do_not_grow_the_metrics() -> None:
    app = create_base_app("growth-test")
    client = app.test_client()
    for number in range(3):
        client.open(f"/{number}", method=f"METHOD{number}")
    body = client.get("/metrics").text
    assert 'method="(other)",route="(none)",service="growth-test",status="404"} 3.0' in body
    assert "METHOD" not in body


def wait_for(address: str, process: subprocess.Popen[str]) -> None:
    for _ in range(300):
        try:
            if httpx.get(f"{address}/healthz", trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            assert process.poll() is None
            time.sleep(0.05)
    raise AssertionError("the server never answered")


def wait_for_other_workers(address: str, known: set[str]) -> None:
    for _ in range(300):
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{address}/pid", trust_env=False).text not in known:
                return
        time.sleep(0.05)
    raise AssertionError("no new worker came")


def test_a_real_server_shares_counts_between_workers_logs_json_and_stops_when_told(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environ = {**os.environ, "TMPDIR": str(tmp_path), "SCRIPT_NAME": ""}
    log = (tmp_path / "log").open("w+")
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, f"127.0.0.1:{port}"],
        stdout=subprocess.PIPE, stderr=log, text=True, env=environ, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    try:
        address = f"http://127.0.0.1:{port}"
        wait_for(address, process)
        workers = {httpx.get(f"{address}/pid", trust_env=False).text for _ in range(40)}
        assert str(process.pid) not in workers
        metrics = httpx.get(f"{address}/metrics", trust_env=False).text
        assert 'route="/pid",service="shell",status="200"} 40.0' in metrics
        assert list(tmp_path.glob("crosslight-metrics-*"))
        assert list(tmp_path.glob("*control*")) == []
        os.kill(int(next(iter(workers))), signal.SIGTERM)  # a worker that ends leaves the folder to the others
        wait_for_other_workers(address, workers)
        assert list(tmp_path.glob("crosslight-metrics-*"))
    finally:
        process.send_signal(signal.SIGTERM)
        printed, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert printed.split() == ["ready", "over"]
    assert list(tmp_path.glob("crosslight-metrics-*")) == []
    log.seek(0)
    lines = log.read().splitlines()
    assert lines and all(line.startswith("{") for line in lines), lines
    log.close()


@pytest.mark.parametrize("name", ["healthz", "readyz", "metrics"])
def test_the_shell_has_no_other_route(name: str) -> None:
    app = create_base_app("z")
    assert sorted(rule.endpoint for rule in app.url_map.iter_rules()) == ["healthz", "metrics", "readyz"]
    assert app.test_client().post(f"/{name}").status_code == 405


def test_threads_that_want_a_metric_for_the_first_time_at_once_all_get_the_same() -> None:
    start = threading.Barrier(16)
    found = []

    def want() -> None:
        start.wait()
        found.append(counter("crosslight_test_wanted_at_once", "Made by whoever comes first", ("name",)))

    threads = [threading.Thread(target=want) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 16
    assert len(set(map(id, found))) == 1
