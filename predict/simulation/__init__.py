"""The length of a step, simulated from seconds of actions: event by event, or as waves."""
