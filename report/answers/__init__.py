"""Sentences below each table: what its numbers say, or why they cannot say it."""
