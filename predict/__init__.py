"""Step time, bubbles and memory before anything runs, from orders of actions and from costs."""
