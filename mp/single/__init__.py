"""All GPUs of a case in one process, which passes the baton between them."""
