import json

from dialogues import CustomRole, answer_delegations, sign_as
from keys import KeyFiles
from terminal import Terminal
from world import World

INFO = {"length": 1, "hashes": {"sha256": "ab" * 32}}


def new_delegations(world: World, *roles: CustomRole, arguments: tuple[str, ...] = ()) -> Terminal:
    terminal = world.admin("delegations", "new", *arguments)
    answer_delegations(terminal, roles)
    return terminal


def sign_role(world: World, role: str, *holders: KeyFiles) -> None:
    for holder in holders:
        terminal = world.admin("metadata", "sign")
        terminal.choose(role)
        # Names of keys (`x-rstuf-key-name`) are not published, so it offers keyids.
        sign_as(terminal, holder.keyid, holder)
        assert "Metadata Signed and sent to the API" in terminal.end()


def send(world: World, *roles: CustomRole) -> None:
    assert "New Metadata created and sent to the API!" in new_delegations(world, *roles).end()


def test_new_ones_signed_online(custom_world: World) -> None:
    world = custom_world
    client = world.client()
    send(world, CustomRole("releases", ("releases/*", "releases/*/*")))
    paths = ["releases/1/tool", "docs/a"]
    world.post("artifacts/", {"artifacts": [{"path": path, "info": INFO} for path in paths]})
    assert client.sees("releases/1/tool").length == 1
    assert client.sees("docs/a").length == 1
    delegated = world.metadata(f"{world.get('status/')['data']['versions']['targets']}.targets.json")
    assert [role["name"] for role in delegated["signed"]["delegations"]["roles"]] == ["docs", "releases"]


def test_new_ones_beside_hash_bins(world: World) -> None:
    client = world.client()
    world.post("artifacts/", {"artifacts": [{"path": "before", "info": INFO}]})
    assert client.sees("before").length == 1
    send(world, CustomRole("releases", ("releases/*",)))
    world.post("artifacts/", {"artifacts": [{"path": "releases/tool", "info": INFO}, {"path": "after", "info": INFO}]})
    for path in ("before", "releases/tool", "after"):
        assert client.sees(path).length == 1
        assert world.client().sees(path).length == 1


def test_new_ones_that_their_holders_sign(custom_world: World) -> None:
    world = custom_world
    client = world.client()
    erin, frank, grace = (world.key(name) for name in ("erin", "frank", "grace"))
    send(world, CustomRole("vendor", ("vendor/*",), (erin, frank, grace)))
    assert "vendor" in world.get("metadata/sign/")["data"]["metadata"]
    sign_role(world, "vendor", frank, erin)
    assert "data" not in world.get("metadata/sign/")

    world.post("artifacts/", {"artifacts": [{"path": "vendor/driver", "info": INFO}]})
    assert client.sees("vendor/driver") is None
    sign_role(world, "vendor", erin, grace)
    assert client.sees("vendor/driver").length == 1

    # What is not wanted any more is stopped, and leaves what is published as it is.
    world.post("artifacts/delete", {"artifacts": ["vendor/driver"]})
    stopping = world.admin("metadata", "stop-sign")
    stopping.choose("vendor")
    stopping.answer("still want to stop signing process for vendor?", "y")
    assert "Signing process for vendor deleted" in stopping.end()
    assert client.sees("vendor/driver").length == 1


def test_deleted(custom_world: World) -> None:
    world = custom_world
    client = world.client()
    world.post("artifacts/", {"artifacts": [{"path": "docs/a", "info": INFO}]})
    assert client.sees("docs/a").length == 1
    terminal = world.admin("delegations", "delete", "--metadata-url", world.metadata_url)
    terminal.tick("docs")
    assert "New Metadata created and sent to the API" in terminal.end()
    assert client.sees("docs/a") is None


def test_made_offline(custom_world: World) -> None:
    world = custom_world
    role = CustomRole("releases", ("releases/*",))
    new_delegations(world, role, arguments=("--dry-run", "--out", "delegations.json")).end()
    world.post("delegations/", json.loads((world.home / "delegations.json").read_text()))
    world.post("artifacts/", {"artifacts": [{"path": "releases/tool", "info": INFO}]})
    assert world.client().sees("releases/tool").length == 1
