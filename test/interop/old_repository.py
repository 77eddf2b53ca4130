"""
Makes a repository with python-tuf's own code: `old_repository.py SHAPE DIRECTORY` writes metadata/, artifacts/ and the keys of its root
holders there, one.pem and two.pem.

rstuf:  hash bins by succinct roles, names in keys, all signed by one online key, as RSTUF's worker leaves it
early:  as a python-tuf before version 4 names keys, without consistent snapshots, with RSA, P-256 and Ed25519 keys and a delegation
        to a team, and with fields that only tuf-on-ci knows
"""

import hashlib
import sys
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

from securesystemslib.formats import encode_canonical
from securesystemslib.signer import CryptoSigner, SSlibKey
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    SuccinctRoles,
    TargetFile,
    Targets,
    Timestamp,
)
from tuf.api.serialization.json import JSONSerializer
from tuf.repository import Repository

TYPES = {"root": Root, "timestamp": Timestamp, "snapshot": Snapshot}


class Directory(Repository):
    def __init__(self, directory: Path, consistent: bool):
        self._metadata = directory / "metadata"
        self._metadata.mkdir(parents=True)
        self._consistent = consistent
        self._current: dict[str, Metadata] = {}
        self._infos: dict[str, MetaFile] = {}
        self.signers: dict[str, list[CryptoSigner]] = {}

    @property
    def targets_infos(self) -> dict[str, MetaFile]:
        return self._infos

    @property
    def snapshot_info(self) -> MetaFile:
        return MetaFile(self._current["snapshot"].signed.version)

    def open(self, role: str) -> Metadata:
        if role in self._current:
            return Metadata.from_bytes(self._current[role].to_bytes())
        metadata = Metadata(TYPES.get(role, Targets)())
        metadata.signed.version = 0
        return metadata

    def close(self, role: str, md: Metadata) -> None:
        md.signed.version += 1
        md.signed.expires = datetime.now(timezone.utc) + timedelta(days=30)
        md.signatures.clear()
        for signer in self.signers[role]:
            md.sign(signer, append=True)
        self._current[role] = md
        if role not in TYPES:
            self._infos[f"{role}.json"] = MetaFile(md.signed.version)
        versioned = role == "root" or (self._consistent and role != "timestamp")
        name = f"{md.signed.version}.{role}.json" if versioned else f"{role}.json"
        # Not compact, as RSTUF's worker writes it.
        md.to_file(str(self._metadata / name), JSONSerializer())


def named(signer: CryptoSigner, fields: dict[str, str], early: bool) -> CryptoSigner:
    """The same under the keyid that python-tuf gave it before version 4, and with fields that the keyid is not made of."""
    key = signer.public_key
    keytype = "ecdsa-sha2-nistp256" if early and key.keytype == "ecdsa" else key.keytype
    content = {"keytype": keytype, "scheme": key.scheme, "keyval": key.keyval}
    left_out = {"keyid_hash_algorithms": ["sha256", "sha512"]} if early else {}
    keyid = hashlib.sha256(encode_canonical({**content, **left_out}).encode()).hexdigest()
    return CryptoSigner(signer._private_key, SSlibKey(keyid, **content, unrecognized_fields=fields))


def found(repository: Directory, holders: list[CryptoSigner], online: CryptoSigner, fields: dict[str, int]) -> None:
    """Two roots; with the second one the first holder goes, and the third comes."""
    repository.signers = {"root": holders[:2], **{role: [online] for role in ("timestamp", "snapshot", "targets")}}
    with repository.edit_root() as root:
        root.consistent_snapshot = repository._consistent
        root.unrecognized_fields = {**fields}
        for holder in holders[:2]:
            root.add_key(holder.public_key, "root")
        for role in ("timestamp", "snapshot", "targets"):
            root.add_key(online.public_key, role)
            root.roles[role].unrecognized_fields = {**fields}
        root.roles["root"].threshold = 2
    repository.signers["root"] = holders
    with repository.edit_root() as root:
        root.revoke_key(holders[0].public_key.keyid, "root")
        root.add_key(holders[2].public_key, "root")


def add(repository: Directory, role_of: Callable[[str], str], artifacts: Path, paths: list[str]) -> None:
    for path in paths:
        file = artifacts / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(f"the content of {path}".encode())
        with repository.edit_targets(role_of(path)) as targets:
            info = TargetFile.from_file(path, str(file), ["sha256", "sha512"])
            info.unrecognized_fields = {"custom": {"by": "the old tool", "nested": [{"ü": None}]}}
            targets.targets[path] = info
        repository.do_snapshot()
        repository.do_timestamp()


def rstuf(repository: Directory, artifacts: Path) -> list[CryptoSigner]:
    names = [{"x-rstuf-key-name": name} for name in ("zero", "one", "two")]
    holders = [named(CryptoSigner.generate_ed25519(), name, early=False) for name in names]
    online = named(CryptoSigner.generate_rsa(), {"x-rstuf-online-key-uri": "fn:online"}, early=False)
    found(repository, holders, online, {})
    bins = SuccinctRoles([], 1, 4, "bins")
    with repository.edit_targets() as targets:
        targets.delegations = Delegations({}, succinct_roles=bins)
        targets.add_key(online.public_key, "bins-0")
    for name in bins.get_roles():
        repository.signers[name] = [online]
        with repository.edit_targets(name):
            pass
    add(repository, bins.get_role_for_target, artifacts, ["top.txt", "team/a;b.txt", "deep/er/c&'d.txt"])
    return holders


def early(repository: Directory, artifacts: Path) -> list[CryptoSigner]:
    made = [CryptoSigner.generate_ecdsa(), CryptoSigner.generate_rsa(), CryptoSigner.generate_ecdsa()]
    holders = [named(key, {"x-tuf-on-ci-keyowner": f"@{at}"}, early=True) for at, key in enumerate(made)]
    online = named(CryptoSigner.generate_ed25519(), {"x-tuf-on-ci-online-uri": "gcpkms:key"}, early=True)
    found(repository, holders, online, {"x-tuf-on-ci-expiry-period": 30, "x-tuf-on-ci-signing-period": 5})
    with repository.edit_targets() as targets:
        role = DelegatedRole("team", [], 1, True, ["team/*"])
        targets.delegations = Delegations({}, {"team": role})
        targets.add_key(online.public_key, "team")
    repository.signers["team"] = [online]
    role_of = lambda path: "team" if path.startswith("team/") else "targets"
    add(repository, role_of, artifacts, ["top.txt", "team/a;b.txt", "deep/er/c&'d.txt"])
    return holders


def main(shape: str, directory: Path) -> None:
    make = {"rstuf": rstuf, "early": early}[shape]
    holders = make(Directory(directory, consistent=shape == "rstuf"), directory / "artifacts")
    for name, holder in zip(("one.pem", "two.pem"), holders[1:]):
        (directory / name).touch(mode=0o600)
        (directory / name).write_bytes(holder.private_bytes)


main(sys.argv[1], Path(sys.argv[2]))
