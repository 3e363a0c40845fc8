"""The text on a person's terminal."""
