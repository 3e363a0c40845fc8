"""A person's desk at each private cluster."""

import pytest

from tests.slurm.desk import Desk, sitting_at
from tests.two_users import users  # noqa: F401 -- a fixture


@pytest.fixture
def desk(cluster, tmp_path):
    """A results folder of its own."""
    with sitting_at(Desk(cluster, tmp_path)) as desk:
        yield desk
