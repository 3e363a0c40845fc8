"""Two users, for what one can do to the other, and the grid files of machines."""

import pytest

from benchmarks.machines.grids import write_grids
from tests.two_users import users  # noqa: F401 -- a fixture


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    """The grid files of a machine for each number of its GPUs."""
    made = {gpus: tmp_path_factory.mktemp(f"grids{gpus}") for gpus in (2, 4, 8)}
    for gpus, folder in made.items():
        write_grids(folder, gpus, small=False)
    return made
