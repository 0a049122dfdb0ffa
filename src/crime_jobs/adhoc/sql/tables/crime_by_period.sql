-- Made by `python -m crime_jobs.adhoc.ddl`: change the model and run that, not this file.
CREATE EXTERNAL TABLE IF NOT EXISTS crime_by_period (
  level string COMMENT 'country, state, combined (Andhra Pradesh with Telangana) or district',
  state_code string COMMENT 'code as in india_states.geojson, IN-TN',
  state string COMMENT 'name of the state or union territory',
  year int COMMENT 'calendar year',
  crime_group string COMMENT 'crime group, see crime_group_heads',
  cases bigint COMMENT 'cases registered',
  change_pct double COMMENT 'change on the year before in percent, one decimal; null at a break',
  trend string COMMENT 'rising, steady, falling, series break or no base'
)
COMMENT 'Cases of one place and crime group over the years, breaks marked'
STORED AS PARQUET
LOCATION '${lake}/crime_by_period/'
TBLPROPERTIES (
  'made_by' = 'crime-jobs'
)
