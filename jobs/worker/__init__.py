"""What runs inside of a job."""
