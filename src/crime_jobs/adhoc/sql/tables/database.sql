-- Made by `python -m crime_jobs.adhoc.ddl`: change the model and run that, not this file.
CREATE DATABASE IF NOT EXISTS ${database}
COMMENT 'Crime statistics, made by crime-jobs'
