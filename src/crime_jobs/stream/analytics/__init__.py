"""The analytics of the FIR stream: SQL on Flink. `main` is the application, the rest packages and runs it."""
