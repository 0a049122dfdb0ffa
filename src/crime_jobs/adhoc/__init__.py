"""Ad-hoc answers: the dashboard that is opened by a double click."""
