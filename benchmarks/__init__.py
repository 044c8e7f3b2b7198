"""What `make bench` runs: our figures beside the physical limit of the same machine in the same run."""
