"""The FIR producer: takes First Information Reports in and sends them to Kinesis, each with an outcome."""
