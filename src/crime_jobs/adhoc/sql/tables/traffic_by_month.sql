-- Made by `python -m crime_jobs.adhoc.ddl`: change the model and run that, not this file.
CREATE EXTERNAL TABLE IF NOT EXISTS traffic_by_month (
  level string COMMENT 'country, state, combined (Andhra Pradesh with Telangana) or district',
  state_code string COMMENT 'code as in india_states.geojson, IN-TN',
  state string COMMENT 'name of the state or union territory',
  year int COMMENT 'calendar year',
  month_number int COMMENT '1 to 12',
  cases bigint COMMENT 'cases registered',
  share_pct double COMMENT 'share of the year\'s accidents in percent, two decimals',
  cases_per_day double COMMENT 'cases by the days of that month, two decimals'
)
COMMENT 'Road accidents of one place and year by month'
STORED AS PARQUET
LOCATION '${lake}/traffic_by_month/'
TBLPROPERTIES (
  'made_by' = 'crime-jobs'
)
