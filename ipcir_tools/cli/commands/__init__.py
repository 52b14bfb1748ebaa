"""The commands of ``ipcir``, one module a group."""
