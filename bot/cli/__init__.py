"""The command line: ``lorebot``."""
