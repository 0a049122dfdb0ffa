-- Made by `python -m crime_jobs.adhoc.ddl`: change the model and run that, not this file.
CREATE EXTERNAL TABLE IF NOT EXISTS population_by_year (
  level string COMMENT 'country, state, combined (Andhra Pradesh with Telangana) or district',
  state_code string COMMENT 'code as in india_states.geojson, IN-TN',
  state string COMMENT 'name of the state or union territory',
  year int COMMENT 'calendar year',
  population bigint COMMENT 'persons, estimated between and after the censuses',
  basis string COMMENT 'census, interpolated or extrapolated'
)
COMMENT 'Population of each state for every year of the facts'
STORED AS PARQUET
LOCATION '${lake}/population_by_year/'
TBLPROPERTIES (
  'made_by' = 'crime-jobs'
)
