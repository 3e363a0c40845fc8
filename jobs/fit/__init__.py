"""Memory that the cases of a plan take, against that of the GPUs that they are to get."""
