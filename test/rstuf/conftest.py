from collections.abc import Iterator
from pathlib import Path

import pytest
from dialogues import CustomRole, CustomRoles, ceremony
from world import World


@pytest.fixture
def empty_world(tmp_path: Path) -> Iterator[World]:
    """A service without a repository."""
    yield from serving(World(tmp_path / "world"))


@pytest.fixture
def world(with_bins: World, tmp_path: Path) -> Iterator[World]:
    """A repository with hash bins, founded by the ceremony."""
    yield from serving(with_bins.copy(tmp_path / "world"))


@pytest.fixture
def custom_world(with_custom_role: World, tmp_path: Path) -> Iterator[World]:
    """A repository that delegates to one custom role, signed online."""
    yield from serving(with_custom_role.copy(tmp_path / "world"))


@pytest.fixture(scope="session")
def with_bins(tmp_path_factory: pytest.TempPathFactory) -> World:
    return founded(World(tmp_path_factory.mktemp("bins") / "world"))


@pytest.fixture(scope="session")
def with_custom_role(tmp_path_factory: pytest.TempPathFactory) -> World:
    roles = CustomRoles((CustomRole("docs", ("docs/*",)),))
    return founded(World(tmp_path_factory.mktemp("custom") / "world"), delegations=roles)


def founded(world: World, **options: CustomRoles) -> World:
    for served in serving(world):
        ceremony(served, signers=served.holders[:2], **options).end()
    return world


def serving(world: World) -> Iterator[World]:
    world.start()
    yield world
    world.stop()
