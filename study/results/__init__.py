"""The fields of a result, its file, and the checks of both."""
