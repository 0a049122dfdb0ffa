-- Made by `python -m crime_jobs.adhoc.ddl`: change the model and run that, not this file.
CREATE EXTERNAL TABLE IF NOT EXISTS traffic_facts (
  state_code string COMMENT 'code as in india_states.geojson, IN-TN',
  state string COMMENT 'name of the state or union territory',
  year int COMMENT 'calendar year',
  breakdown string COMMENT 'slot (three hours of the day) or month',
  bucket string COMMENT '00-03 to 21-24, or 01 to 12',
  cases bigint COMMENT 'cases registered',
  source_file string COMMENT 'landing file the figure comes from'
)
COMMENT 'Road accidents: one state, year and slot or month; Andhra Pradesh undivided in all years'
STORED AS PARQUET
LOCATION '${lake}/traffic_facts/'
TBLPROPERTIES (
  'made_by' = 'crime-jobs'
)
