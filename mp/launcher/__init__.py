"""Start a process for each GPU of this machine; no torch is needed here."""
