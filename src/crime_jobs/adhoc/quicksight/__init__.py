"""The dashboard in QuickSight, as code: what is on it, how it is made, refreshed and looked after.

The template ``cloud/quicksight.yaml`` is made by `crime_jobs.adhoc.quicksight.template`
(``python -m crime_jobs.adhoc.quicksight``); nobody edits it by hand.
"""
