"""What `rstuf` asks in its longer dialogues, and what is answered."""

from dataclasses import dataclass

from keys import PASSWORD, KeyFiles
from terminal import Terminal
from world import World


@dataclass(frozen=True)
class Bins:
    number: int = 16

    def answer(self, terminal: Terminal) -> None:
        terminal.choose("Bins (online key only)")
        terminal.answer("days until expiry for 'bins' role", "7")
        terminal.answer("number of delegated hash bins", str(self.number))


@dataclass(frozen=True)
class CustomRole:
    name: str
    paths: tuple[str, ...]
    #: None: signed by the online key.
    holders: tuple[KeyFiles, ...] = ()
    threshold: int = 2

    def answer(self, terminal: Terminal) -> None:
        first, *more = self.paths
        terminal.answer("delegated target role name", self.name)
        terminal.answer(f"days until expiry for '{self.name}' role", "30")
        terminal.answer("Please enter path", first)
        for path in more:
            terminal.choose("add new path")
            terminal.answer("Please enter path", path)
        terminal.choose("continue")
        if not self.holders:
            terminal.choose("Online Key (use the existing)")
            return
        terminal.choose("Add Keys")
        terminal.answer(f"'{self.name}' threshold", str(self.threshold))
        for at, holder in enumerate(self.holders):
            # With no key yet it goes straight to the first one.
            if at > 0:
                terminal.choose("add")
            add_key(terminal, holder)
        terminal.choose("continue")


@dataclass(frozen=True)
class CustomRoles:
    roles: tuple[CustomRole, ...]

    def answer(self, terminal: Terminal) -> None:
        terminal.choose("Custom Delegations (online/offline key)")
        answer_delegations(terminal, self.roles)


def answer_delegations(terminal: Terminal, roles: tuple[CustomRole, ...]) -> None:
    for at, role in enumerate(roles):
        if at > 0:
            terminal.choose("add new delegation")
        role.answer(terminal)
    terminal.choose("continue")


def ceremony(
    world: World,
    *,
    signers: list[KeyFiles],
    threshold: int = 2,
    delegations: Bins | CustomRoles = Bins(),
    arguments: tuple[str, ...] = (),
) -> Terminal:
    """The whole ceremony with three root keys and the RSA online key; what it ends with is for the caller to see."""
    holders = world.holders[:3]
    terminal = world.admin("ceremony", *arguments)
    terminal.answer("days until expiry for 'timestamp' role", "2")
    terminal.answer("days until expiry for 'snapshot' role", "7")
    terminal.answer("days until expiry for 'targets' role", "90")
    delegations.answer(terminal)
    terminal.answer("days until expiry for 'root' role")
    terminal.answer("'root' threshold", str(threshold))
    for at, holder in enumerate(holders):
        if at > 0:
            terminal.choose("add")
        add_key(terminal, holder)
    terminal.choose("continue")
    online_key(terminal, world.rsa)
    sign(terminal, signers)
    if len(signers) < threshold:
        terminal.choose("continue")
    return terminal


def add_key(terminal: Terminal, key: KeyFiles) -> None:
    terminal.choose("Key PEM File")
    terminal.answer("PUBLIC key", str(key.public))
    terminal.answer("key name", key.name)


def online_key(terminal: Terminal, key: KeyFiles) -> None:
    terminal.choose("Key PEM File")
    terminal.answer("PUBLIC key", str(key.public))
    terminal.answer("key name", key.name)


def sign(terminal: Terminal, signers: list[KeyFiles]) -> None:
    for signer in signers:
        sign_as(terminal, signer.name, signer)


def sign_as(terminal: Terminal, shown: str, signer: KeyFiles) -> None:
    """Signs with the key that the list shows like this."""
    terminal.choose(shown)
    terminal.choose("Key PEM File")
    terminal.answer("path to encrypted private key", str(signer.private))
    terminal.secret("password to encrypted private key", PASSWORD)
