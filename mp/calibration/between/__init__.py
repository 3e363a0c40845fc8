"""Between several GPUs: messages, collectives, and both beside layers."""
