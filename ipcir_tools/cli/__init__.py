"""The command line, ``ipcir``."""
