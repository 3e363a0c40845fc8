"""Timing of steps: timers, clocks, stopping rules and timelines."""
