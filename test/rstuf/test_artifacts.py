import hashlib
import json
import re

from world import World, blake2b_256


def task_of(said: str) -> str:
    found = re.search(r"RSTUF task ID \(use to check its status\) is: ([0-9a-f]{32})", said)
    assert found, said
    return found[1]


def test_added_downloaded_and_deleted(world: World) -> None:
    content = b"built by a pipeline\n"
    world.write_artifact("releases/tool.tar.gz", content)
    file = world.home / "tool.tar.gz"
    file.write_bytes(content)

    said = world.artifact("add", str(file), "--path", "releases/", "--api-server", world.url).end()
    assert "Successfully submitted task" in said
    said = world.task_info(task_of(said), "--all").end()
    assert "SUCCESS" in said
    assert '"Artifact(s) Added"' in said
    known = world.client().sees("releases/tool.tar.gz")
    assert known.hashes == {"blake2b-256": blake2b_256(content)}

    download = ["download", "-m", world.metadata_url, "-a", f"{world.url}/artifacts", "-P", str(world.home / "got")]
    said = world.artifact(*download, "releases/tool.tar.gz").end()
    assert "Successfully completed artifact download" in said
    [got] = (world.home / "got").iterdir()
    assert got.read_bytes() == content

    said = world.artifact("delete", "releases/tool.tar.gz", "--api-server", world.url).end()
    assert '"Artifact(s) removed"' in world.task_info(task_of(said), "--all").end()
    said, status = world.artifact(*download, "releases/tool.tar.gz").finish()
    assert status == 1
    assert "not trusted by TUF repository" in said


def test_at_the_address_in_its_settings(world: World) -> None:
    (world.home / ".rstuf.yml").write_text(f"SERVER: {world.url}\n")
    (world.home / "tool").write_bytes(b"good")
    said = world.artifact("add", "tool").end()
    world.task_info(task_of(said)).end()
    assert world.client().sees("tool").length == 4


def test_downloaded_by_its_hash(world: World) -> None:
    content = b"published with a SHA-256"
    world.write_artifact("tool", content)
    info = {"length": len(content), "hashes": {"sha256": hashlib.sha256(content).hexdigest()}}
    world.post("artifacts/", {"artifacts": [{"path": "tool", "info": info}]})
    download = ["download", "-m", world.metadata_url, "-a", f"{world.url}/artifacts", "--hash-prefix", "tool"]
    assert "Successfully completed artifact download" in world.artifact(*download).end()
    assert (world.home / "downloads/tool").read_bytes() == content


def test_downloaded_from_a_repository_that_it_was_told_of(world: World) -> None:
    world.write_artifact("tool", b"good")
    (world.home / "tool").write_bytes(b"good")
    world.task_info(task_of(world.artifact("add", str(world.home / "tool"), "--api-server", world.url).end())).end()
    root, artifacts = f"{world.metadata_url}/1.root.json", f"{world.url}/artifacts"
    world.artifact("repository", "add", "-n", "ours", "-r", root, "-m", world.metadata_url, "-a", artifacts).end()
    world.artifact("repository", "set", "ours").end()
    assert world.metadata_url in world.artifact("repository", "show", "ours").end()
    assert "Successfully completed artifact download" in world.artifact("download", "tool").end()
    assert (world.home / "downloads/tool").read_bytes() == b"good"


def test_a_tampered_artifact_is_not_taken(world: World) -> None:
    file = world.home / "tool"
    file.write_bytes(b"good")
    task = task_of(world.artifact("add", str(file), "--api-server", world.url).end())
    world.task_info(task).end()
    world.write_artifact("tool", b"evil")
    said, status = world.artifact("download", "-m", world.metadata_url, "-a", f"{world.url}/artifacts", "tool").finish()
    assert status != 0
    assert "Failed to download artifact" in said


def test_a_path_that_no_client_could_take_is_refused(world: World) -> None:
    file = world.home / "with space"
    file.write_bytes(b"x")
    said, status = world.artifact("add", str(file), "--api-server", world.url).finish()
    assert status == 1
    assert "Error 422" in said


def test_a_task_that_is_not_there(world: World) -> None:
    said, status = world.task_info("0" * 32).finish()
    assert status == 1
    assert "There is no task" in said


def test_before_there_is_a_repository(empty_world: World) -> None:
    world = empty_world
    file = world.home / "tool"
    file.write_bytes(b"x")
    said, status = world.artifact("add", str(file), "--api-server", world.url).finish()
    assert status == 1
    assert "Task not accepted." in said
    assert json.dumps("Run the ceremony first.")[1:-1] in said
