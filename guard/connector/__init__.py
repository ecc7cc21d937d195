"""The only code that opens a connection. It turns a live cluster into a snapshot."""
