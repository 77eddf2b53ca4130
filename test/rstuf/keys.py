"""Keys as RSTUF's users have them: private ones encrypted with a password, public ones beside them."""

from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from securesystemslib.signer import SSlibKey

PASSWORD = "correct horse"


@dataclass(frozen=True)
class KeyFiles:
    name: str
    private: Path
    public: Path
    keyid: str


def root_key(directory: Path, name: str) -> KeyFiles:
    return _write(directory, name, ed25519.Ed25519PrivateKey.generate(), BestAvailableEncryption(PASSWORD.encode()))


def online_rsa_key(directory: Path, name: str) -> KeyFiles:
    return _write(directory, name, rsa.generate_private_key(65537, 2048), NoEncryption())


def online_p256_key(directory: Path, name: str) -> KeyFiles:
    return _write(directory, name, ec.generate_private_key(ec.SECP256R1()), NoEncryption())


Encryption = BestAvailableEncryption | NoEncryption


def _write(directory: Path, name: str, key: PrivateKeyTypes, encryption: Encryption) -> KeyFiles:
    directory.mkdir(exist_ok=True)
    keyid = SSlibKey.from_crypto(key.public_key()).keyid
    files = KeyFiles(name, directory / name, directory / f"{name}.pub", keyid)
    files.private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
    files.private.chmod(0o600)
    files.public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return files
