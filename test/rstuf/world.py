"""An embedded service with a home of its own, and the people around it."""

import hashlib
import shutil
import subprocess
from copy import copy
from pathlib import Path
from typing import Any

import requests
from keys import KeyFiles, online_p256_key, online_rsa_key, root_key
from terminal import Terminal
from tuf.ngclient import Updater

CHECKOUT = Path(__file__).parents[2]


class World:
    """The service holds an RSA-PSS and a P-256 key, of which the first is to sign; root has three holders."""

    def __init__(self, directory: Path):
        self.home = directory / "home"
        self.artifacts = directory / "artifacts"
        for folder in (self.home, self.artifacts):
            folder.mkdir(parents=True)
        keys = directory / "keys"
        self.data = directory / "data"
        self.rsa = online_rsa_key(keys, "online-rsa")
        self.p256 = online_p256_key(keys, "online-p256")
        self.holders = [root_key(keys, name) for name in ("alice", "bob", "carol", "dave")]
        self._keys = keys
        self._directory = directory
        self._clients = 0

    def copy(self, directory: Path) -> "World":
        """The same repository, and the same people, once more; the service here has to be stopped."""
        other = copy(self)
        other._directory = directory
        other.home, other.artifacts, other.data = (directory / name for name in ("home", "artifacts", "data"))
        for folder in (other.home, other.artifacts):
            folder.mkdir(parents=True)
        shutil.copytree(self.data, other.data)
        return other

    def start(self) -> None:
        self._log = (self._directory / "service.log").open("ab")
        flags = ["--data", self.data, "--artifacts", self.artifacts]
        flags += ["--key", self.rsa.private, "--key", self.p256.private]
        self._service = subprocess.Popen(
            ["cli/bin/node", "cli/main.ts", "serve", "--port", "0", *map(str, flags)],
            cwd=CHECKOUT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        assert self._service.stdout is not None
        self.url = self._service.stdout.readline().strip()
        assert self.url, f"the service did not start:\n{self.log()}"

    def stop(self) -> None:
        self._service.terminate()
        status = self._service.wait(timeout=30)
        self._log.close()
        assert status == 0, f"the service ended with {status}:\n{self.log()}"

    def log(self) -> str:
        return (self._directory / "service.log").read_text()

    @property
    def metadata_url(self) -> str:
        return f"{self.url}/metadata"

    def key(self, name: str) -> KeyFiles:
        return root_key(self._keys, name)

    def admin(self, *arguments: str) -> Terminal:
        return Terminal(["admin", "--api-server", self.url, *arguments], self.home)

    def artifact(self, *arguments: str) -> Terminal:
        return Terminal(["artifact", *arguments], self.home)

    def task_info(self, task: str, *arguments: str) -> Terminal:
        return Terminal(["task", "info", task, "--api-server", self.url, *arguments], self.home)

    def get(self, path: str) -> Any:
        return requests.get(f"{self.url}/api/v1/{path}", timeout=30).json()

    def post(self, path: str, body: Any) -> Any:
        """Sends a request that has to succeed within the time that it waits; gives the result of its task."""
        answer = requests.post(f"{self.url}/api/v1/{path}", json=body, headers={"Prefer": "wait=20"}, timeout=30)
        assert answer.status_code == 200, answer.text
        data = answer.json()["data"]
        assert data["state"] == "SUCCESS", answer.text
        return data["result"]

    def metadata(self, file: str) -> Any:
        answer = requests.get(f"{self.metadata_url}/{file}", timeout=30)
        assert answer.status_code == 200, file
        return answer.json()

    def write_artifact(self, path: str, content: bytes) -> Path:
        file = self.artifacts / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        return file

    def client(self) -> "Client":
        """A python-tuf client of its own, that begins with the first root."""
        self._clients += 1
        return Client(self, self._directory / f"client-{self._clients}")


class Client:
    def __init__(self, world: World, directory: Path):
        self._world = world
        self._directory = directory
        directory.mkdir()
        root = requests.get(f"{world.metadata_url}/1.root.json", timeout=30)
        (directory / "root.json").write_bytes(root.content)

    def sees(self, path: str) -> Any:
        """Refreshes, and gives what metadata says of this path, or nothing."""
        url = f"{self._world.metadata_url}/"
        updater = Updater(metadata_dir=str(self._directory), metadata_base_url=url)
        updater.refresh()
        return updater.get_targetinfo(path)


def blake2b_256(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=32).hexdigest()
