"""What a result holds, and what is refused as one."""
