"""python-tuf's ngclient as a driver (see ../README.md for the protocol)."""

import hashlib
import json
import sys
from pathlib import Path

from tuf.ngclient import Updater
from tuf.ngclient.urllib3_fetcher import Urllib3Fetcher

TIMEOUT_SECONDS = 5


def answer(request: dict) -> dict:
    state = Path(request["state"])
    try:
        updater = Updater(
            metadata_dir=str(state),
            metadata_base_url=request["metadataUrl"],
            target_base_url=request["targetsUrl"],
            fetcher=Urllib3Fetcher(socket_timeout=TIMEOUT_SECONDS),
            bootstrap=Path(request["root"]).read_bytes(),
        )
        updater.refresh()
    except Exception as error:
        return {"ok": False, "error": describe(error)}
    return {
        "ok": True,
        "versions": {role: version(state, role) for role in ("root", "timestamp", "snapshot")},
        "targets": [{"path": path, **fetch(updater, path, state / "download")} for path in request["targets"]],
    }


def fetch(updater: Updater, path: str, destination: Path) -> dict:
    try:
        info = updater.get_targetinfo(path)
        if info is None:
            return {"outcome": "absent"}
        updater.download_target(info, str(destination))
        return {"outcome": "verified", "sha256": hashlib.sha256(destination.read_bytes()).hexdigest()}
    except Exception as error:
        return {"outcome": "refused", "error": describe(error)}


def version(state: Path, role: str) -> int:
    return json.loads((state / f"{role}.json").read_bytes())["signed"]["version"]


def describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)
