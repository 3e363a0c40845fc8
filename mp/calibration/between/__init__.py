"""What passes between several GPUs: messages, collectives, and layers beside them."""
