"""requirements.lock: what `make .venv` installs is what was locked, by version and by hash."""

import importlib.metadata
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
LOCK = (ROOT / "requirements.lock").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
OF_CUDA = re.compile(r"nvidia-.*|cuda-.*|triton")


def locked() -> dict[str, list[str]]:
    """The words behind each package of the lock: its version, its marker and its hashes."""
    lines = re.sub(r"^\s*#.*\n", "", LOCK, flags=re.MULTILINE).replace("\\\n", " ").splitlines()
    return {line.partition("==")[0]: line.partition("==")[2].split() for line in lines}


def asked() -> list[Requirement]:
    """What the project asks for, but torch."""
    project = PROJECT["project"]
    texts = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    return [r for r in map(Requirement, texts) if r.name != "torch"]


def torch() -> Requirement:
    """The version of torch that `make .venv` installs."""
    lines = (ROOT / "requirements-torch.txt").read_text().splitlines()
    (only,) = [line for line in lines if not line.startswith("#")]
    return Requirement(only)


def test_every_package_of_the_lock_has_hashes_and_nothing_else():
    assert len(locked()) > 40
    for name, words in locked().items():
        assert re.fullmatch(r"[a-z0-9-]+", name)
        assert re.fullmatch(r"[0-9][0-9a-z.]*", words[0])
        hashes = [word for word in words if word.startswith("--")]
        assert hashes, f"{name} has no hash"
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", word) for word in hashes)
    assert "://" not in LOCK


def test_the_lock_holds_what_the_project_asks_for():
    missing = [str(r) for r in asked() if canonicalize_name(r.name) not in locked()]
    assert missing == []
    versions = {name: words[0] for name, words in locked().items()}
    other = [str(r) for r in asked() if versions[canonicalize_name(r.name)] not in r.specifier]
    assert other == []


def test_torch_is_installed_by_itself_in_a_version_that_the_project_takes():
    assert "torch" not in locked()
    assert not [name for name in locked() if OF_CUDA.fullmatch(name) and name != "nvidia-ml-py"]
    (pin,) = torch().specifier
    (taken,) = [
        r for r in map(Requirement, PROJECT["project"]["dependencies"]) if r.name == "torch"
    ]
    assert (torch().name, pin.operator) == ("torch", "==")
    assert pin.version in taken.specifier


def test_pip_finds_all_that_torch_needs_in_the_lock_but_cuda():
    installed = importlib.metadata.version("torch").partition("+")[0]
    if installed not in torch().specifier:
        pytest.skip(f"torch {installed} is installed, whose needs may be others")
    for requirement in map(Requirement, importlib.metadata.requires("torch") or []):
        name = canonicalize_name(requirement.name)
        if OF_CUDA.fullmatch(name) or (requirement.marker and not requirement.marker.evaluate()):
            continue
        assert locked()[name][0] in requirement.specifier
