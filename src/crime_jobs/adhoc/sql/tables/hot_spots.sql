-- Made by `python -m crime_jobs.adhoc.ddl`: change the model and run that, not this file.
CREATE EXTERNAL TABLE IF NOT EXISTS hot_spots (
  state_code string COMMENT 'code as in india_states.geojson, IN-TN',
  state string COMMENT 'name of the state or union territory',
  district string COMMENT 'district or police unit, one name in all years',
  year int COMMENT 'calendar year',
  crime_group string COMMENT 'crime group, see crime_group_heads',
  cases bigint COMMENT 'cases registered',
  percentile double COMMENT 'share of districts with fewer cases, 0 to 1, four decimals',
  base_cases bigint COMMENT 'cases three years before; null without a comparable year',
  growth_pct double COMMENT 'growth since then in percent, one decimal',
  hot_spot string COMMENT 'high, rising, or high and rising',
  rule string COMMENT 'the rule that says so'
)
COMMENT 'A district that is high, or rising, in a year and crime group, with the rule that says so'
STORED AS PARQUET
LOCATION '${lake}/hot_spots/'
TBLPROPERTIES (
  'made_by' = 'crime-jobs'
)
