-- Made by `python -m crime_jobs.adhoc.ddl`: change the model and run that, not this file.
CREATE EXTERNAL TABLE IF NOT EXISTS population_census (
  state_code string COMMENT 'code as in india_states.geojson, IN-TN',
  state string COMMENT 'name of the state or union territory',
  year int COMMENT 'calendar year',
  population bigint COMMENT 'persons, estimated between and after the censuses',
  source_file string COMMENT 'landing file the figure comes from'
)
COMMENT 'Census population: one state and census year; Andhra Pradesh undivided'
STORED AS PARQUET
LOCATION '${lake}/population_census/'
TBLPROPERTIES (
  'made_by' = 'crime-jobs'
)
