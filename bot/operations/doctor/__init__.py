"""What is wrong with an installation, each thing with what mends it."""
