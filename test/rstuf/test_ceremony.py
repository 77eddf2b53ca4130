import json

from dialogues import Bins, CustomRole, CustomRoles, ceremony, sign
from test_artifacts import task_of
from test_delegations import sign_role
from world import World


def finished(world: World) -> bool:
    data = world.get("bootstrap/")["data"]
    return data["bootstrap"] is True and data["state"] == "finished"


def test_all_signatures_now(empty_world: World) -> None:
    world = empty_world
    said = ceremony(world, signers=world.holders[:2], delegations=Bins(64)).end()
    assert "Ceremony done" in said
    assert finished(world)
    assert world.get("config/")["data"]["number_of_delegated_bins"] == 64
    assert world.client().sees("nothing") is None
    [signature] = world.metadata("timestamp.json")["signatures"]
    root = world.metadata("1.root.json")["signed"]
    assert root["keys"][signature["keyid"]]["scheme"] == "rsassa-pss-sha256"

    # A second one is too late.
    said, status = ceremony(world, signers=world.holders[:2]).finish()
    assert status == 1
    assert "System already has a Metadata. State: finished" in said


def test_some_signatures_later(empty_world: World) -> None:
    world = empty_world
    [alice, bob, carol, _] = world.holders
    ceremony(world, signers=[alice]).end()
    assert world.get("bootstrap/")["data"]["state"] == "signing"

    # A holder who has signed is not asked again; the other two are.
    signing = world.admin("metadata", "sign")
    signing.choose("root")
    sign(signing, [carol])
    assert "Metadata Signed and sent to the API" in signing.end()
    assert finished(world)
    assert world.client().sees("nothing") is None

    said, status = world.admin("metadata", "sign").finish()
    assert status == 1
    assert "No metadata available for signing" in said


def test_stopped_and_begun_again(empty_world: World) -> None:
    world = empty_world
    ceremony(world, signers=world.holders[:1]).end()
    stopping = world.admin("metadata", "stop-sign")
    stopping.choose("root")
    stopping.answer("still want to stop signing process for root?", "y")
    assert "Signing process for root deleted" in stopping.end()
    assert world.get("bootstrap/")["message"] == "System available for bootstrap."
    ceremony(world, signers=world.holders[:2]).end()
    assert finished(world)


def test_made_offline_and_sent_later(empty_world: World) -> None:
    world = empty_world
    ceremony(world, signers=world.holders[:1], arguments=("--dry-run", "--out", "payload.json")).end()
    assert world.get("bootstrap/")["message"] == "System available for bootstrap."
    assert "Bootstrap completed" in world.admin("send", "bootstrap", "payload.json").end()

    # So is a signature, over what somebody brings to the machine where the key is.
    (world.home / "waiting.json").write_text(json.dumps(world.get("metadata/sign/")))
    signing = world.admin("metadata", "sign", "--in", "waiting.json", "--dry-run", "--out", "signature.json")
    signing.choose("root")
    sign(signing, [world.holders[1]])
    signing.end()
    assert not finished(world)
    assert "Metadata Signed!" in world.admin("send", "sign", "signature.json").end()
    assert finished(world)


def test_custom_delegations(empty_world: World) -> None:
    world = empty_world
    roles = CustomRoles((CustomRole("releases", ("releases/*", "releases/*/*")), CustomRole("docs", ("docs/*",))))
    ceremony(world, signers=world.holders[:2], delegations=roles).end()
    assert finished(world)
    info = {"length": 1, "hashes": {"sha256": "ab" * 32}}
    world.post("artifacts/", {"artifacts": [{"path": "docs/a.html", "info": info}]})
    assert world.client().sees("docs/a.html").length == 1
    assert list(world.metadata("1.docs.json")["signed"]["targets"]) == []


def test_custom_delegations_that_their_holders_sign(empty_world: World) -> None:
    world = empty_world
    erin, frank = (world.key(name) for name in ("erin", "frank"))
    roles = CustomRoles((CustomRole("docs", ("docs/*",)), CustomRole("vendor", ("vendor/*",), (erin, frank))))
    ceremony(world, signers=world.holders[:2], delegations=roles).end()
    assert finished(world)

    # The role takes artifacts once its holders have signed it first.
    (world.home / "driver").write_bytes(b"driver")
    add = world.artifact("add", "driver", "--path", "vendor", "--api-server", world.url)
    said, status = world.task_info(task_of(add.end())).finish()
    assert status == 1
    assert "Its holders have to sign role vendor first" in said
    sign_role(world, "vendor", erin, frank)
    said = world.artifact("add", "driver", "--path", "vendor", "--api-server", world.url).end()
    world.task_info(task_of(said)).end()
    sign_role(world, "vendor", erin, frank)
    assert world.client().sees("vendor/driver").length == 6
