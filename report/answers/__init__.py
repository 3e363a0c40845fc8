"""The sentences below each table: what its numbers say, and when they cannot say it."""
