"""Two users, for what one can do to the other."""

from tests.two_users import users  # noqa: F401 -- a fixture
