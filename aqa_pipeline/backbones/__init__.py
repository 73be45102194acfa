"""Networks, one architecture a file, each with `build(...)`."""
