"""Requests made up from the OpenAPI document, good and bad: none breaks the service, each gets a documented answer."""

import subprocess
from pathlib import Path

from world import World

SCHEMATHESIS = Path(__file__).parents[2] / ".cache/rstuf/venv/bin/schemathesis"
CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
]
INFO = {"length": 1, "hashes": {"sha256": "ab" * 32}}


def make_up_requests(world: World) -> None:
    command = [SCHEMATHESIS, "run", f"{world.url}/openapi.json", "--checks", ",".join(CHECKS)]
    # The same requests each time.
    command += ["--phases", "examples,coverage,fuzzing", "--max-examples", "15", "--seed", "1"]
    command += ["--generation-database", "none", "--warnings", "off", "--no-color"]
    run = subprocess.run(list(map(str, command)), cwd=world.home, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stdout + run.stderr
    # Pino's number for an error.
    assert '"level":50' not in world.log()


def test_of_a_repository(world: World) -> None:
    client = world.client()
    make_up_requests(world)
    world.post("artifacts/", {"artifacts": [{"path": "still/here", "info": INFO}]})
    assert client.sees("still/here").length == 1


def test_before_there_is_one(empty_world: World) -> None:
    make_up_requests(empty_world)
    assert empty_world.get("bootstrap/")["message"] == "System available for bootstrap."
