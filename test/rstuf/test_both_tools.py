"""What one tool began, the other goes on with; each reads the other's key files."""

import subprocess
from pathlib import Path

from cryptography.hazmat.primitives.serialization import load_pem_public_key
from dialogues import ceremony, sign_as
from keys import PASSWORD, KeyFiles
from securesystemslib.signer import SSlibKey
from test_root import update
from world import CHECKOUT, World


def tuffet(world: World, *arguments: str) -> str:
    password = world.home / "password"
    password.write_text(PASSWORD)
    with password.open() as descriptor:
        run = subprocess.run(
            ["cli/bin/node", "cli/main.ts", "--api", world.url, *arguments, "--password-fd", "0"],
            cwd=CHECKOUT,
            stdin=descriptor,
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def tuffet_key(world: World, name: str) -> KeyFiles:
    private = world.home / name
    tuffet(world, "key", "new", str(private))
    public = Path(f"{private}.pub")
    keyid = SSlibKey.from_crypto(load_pem_public_key(public.read_bytes())).keyid
    return KeyFiles(name, private, public, keyid)


def test_a_ceremony_of_rstuf_that_tuffet_ends(empty_world: World) -> None:
    world = empty_world
    [alice, bob, *_] = world.holders
    ceremony(world, signers=[alice]).end()
    said = tuffet(world, "root", "sign", "--key", str(bob.private), "--yes")
    assert "Root version 1 is published." in said
    assert world.client().sees("nothing") is None


def test_updates_begun_by_one_and_ended_by_the_other(world: World) -> None:
    [alice, bob, *_] = world.holders
    update(world, signers=[alice], days=100, stop=True).end()
    assert "Root version 2 is published." in tuffet(world, "root", "sign", "--key", str(bob.private), "--yes")

    frank = tuffet_key(world, "frank")
    add = ["--add-key", str(frank.public), "--threshold", "3"]
    said = tuffet(world, "root", "update", *add, "--key", str(alice.private), "--key", str(bob.private), "--yes")
    assert "Root version 3 needs" in said
    signing = world.admin("metadata", "sign")
    signing.choose("root")
    # Of this key there is no name in the metadata, so rstuf shows its keyid.
    sign_as(signing, frank.keyid, frank)
    assert "Metadata Signed and sent to the API" in signing.end()
    assert world.metadata("3.root.json")["signed"]["roles"]["root"]["threshold"] == 3
    assert world.client().sees("nothing") is None
