from dialogues import add_key, online_key, sign
from keys import KeyFiles
from terminal import Terminal
from world import World


def update(
    world: World,
    *,
    signers: list[KeyFiles],
    days: int | None = None,
    threshold: int | None = None,
    add: KeyFiles | None = None,
    remove: KeyFiles | None = None,
    online: KeyFiles | None = None,
    stop: bool = False,
    arguments: tuple[str, ...] = (),
) -> Terminal:
    terminal = world.admin("metadata", "update", "--metadata-url", world.metadata_url, *arguments)
    if days is None:
        terminal.answer("Do you want to change the expiry date?", "n")
    else:
        terminal.answer("Do you want to change the expiry date?", "y")
        terminal.answer("days until expiry for 'root' role", str(days))
    if threshold is None:
        terminal.answer("Do you want to change the threshold?", "n")
    else:
        terminal.answer("Do you want to change the threshold?", "y")
        terminal.answer("'root' threshold", str(threshold))
    if add is not None:
        terminal.choose("add")
        add_key(terminal, add)
    if remove is not None:
        terminal.choose("remove")
        terminal.choose(remove.name)
    terminal.choose("continue")
    if online is None:
        terminal.answer("Do you want to change the online key?", "n")
    else:
        terminal.answer("Do you want to change the online key?", "y")
        online_key(terminal, online)
    sign(terminal, signers)
    if stop:
        terminal.choose("continue")
    return terminal


def root_of(world: World, version: int) -> dict:
    return world.metadata(f"{version}.root.json")["signed"]


def signing(world: World, holder: KeyFiles) -> None:
    terminal = world.admin("metadata", "sign")
    terminal.choose("root")
    sign(terminal, [holder])
    assert "Metadata Signed and sent to the API" in terminal.end()


def waiting(world: World) -> dict | None:
    return world.get("metadata/sign/").get("data")


def test_expiry_threshold_and_keys(world: World) -> None:
    [alice, bob, carol, dave] = world.holders
    client = world.client()
    client.sees("nothing")

    said = update(world, signers=[alice, carol], days=100).end()
    assert "Root metadata update completed" in said
    assert root_of(world, 2)["expires"] != root_of(world, 1)["expires"]

    # Both the old and the new holders have to sign: dave comes, alice goes, three of three from now on.
    said = update(world, signers=[alice, bob, carol, dave], threshold=3, add=dave, remove=alice).end()
    assert "Root metadata update completed" in said
    third = root_of(world, 3)
    assert third["roles"]["root"]["threshold"] == 3
    names = {third["keys"][keyid]["x-rstuf-key-name"] for keyid in third["roles"]["root"]["keyids"]}
    assert names == {"bob", "carol", "dave"}
    assert client.sees("nothing") is None


def test_signatures_that_come_later(world: World) -> None:
    [alice, bob, *_] = world.holders
    update(world, signers=[alice], days=100, stop=True).end()
    data = waiting(world)
    assert data is not None
    assert data["metadata"]["root"]["signed"]["version"] == 2
    assert data["metadata"]["trusted_root"]["signed"]["version"] == 1
    # Artifacts go on being published meanwhile.
    info = {"length": 1, "hashes": {"sha256": "ab" * 32}}
    world.post("artifacts/", {"artifacts": [{"path": "a", "info": info}]})
    signing(world, bob)
    assert waiting(world) is None
    assert root_of(world, 2)["version"] == 2
    assert world.client().sees("a").length == 1


def test_one_that_is_stopped(world: World) -> None:
    [alice, bob, *_] = world.holders
    update(world, signers=[alice], days=100, stop=True).end()
    stopping = world.admin("metadata", "stop-sign")
    stopping.choose("root")
    stopping.answer("still want to stop signing process for root?", "y")
    assert "Signing process for root deleted" in stopping.end()
    assert waiting(world) is None
    update(world, signers=[alice, bob], days=200).end()
    assert root_of(world, 2)["version"] == 2


def test_one_that_is_late(world: World) -> None:
    """Made from a root that is not the current one any more when it arrives."""
    [alice, bob, *_] = world.holders
    update(world, signers=[alice, bob], days=100, arguments=("--dry-run", "--out", "late.json")).end()
    update(world, signers=[alice, bob], days=200).end()
    said, status = world.admin("send", "update", "late.json").finish()
    assert status == 1
    assert "The current root has version 2" in said


def test_online_key_from_rsa_to_p256(world: World) -> None:
    [alice, bob, *_] = world.holders
    old = world.client()
    info = {"length": 1, "hashes": {"sha256": "ab" * 32}}
    world.post("artifacts/", {"artifacts": [{"path": "before", "info": info}]})
    assert old.sees("before").length == 1

    update(world, signers=[alice, bob], online=world.p256).end()
    root = root_of(world, 2)
    for role in ("targets", "snapshot", "timestamp"):
        [keyid] = root["roles"][role]["keyids"]
        assert root["keys"][keyid]["scheme"] == "ecdsa-sha2-nistp256"

    world.post("artifacts/", {"artifacts": [{"path": "after", "info": info}]})
    # Clients that look just now may not have seen the new root yet: both keys sign for a while.
    keyids = {signature["keyid"] for signature in world.metadata("timestamp.json")["signatures"]}
    assert keyids == set(root_of(world, 1)["roles"]["timestamp"]["keyids"]) | {keyid}
    for client in (old, world.client()):
        assert client.sees("before").length == 1
        assert client.sees("after").length == 1

    # And the service finds its way after a restart.
    world.stop()
    world.start()
    world.post("artifacts/", {"artifacts": [{"path": "later", "info": info}]})
    assert world.client().sees("later").length == 1
