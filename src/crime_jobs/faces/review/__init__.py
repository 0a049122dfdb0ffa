"""The page on which people decide about leads: a small server of this machine, for one reviewer."""
