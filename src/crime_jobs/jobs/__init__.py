"""The Spark jobs, one module each; `crime_jobs.registry` finds them."""
