"""FIRs in real time: the consumer and its sink, dead letters, alerts, analytics, history, reconciliation."""
