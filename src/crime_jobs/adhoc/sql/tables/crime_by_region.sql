-- Made by `python -m crime_jobs.adhoc.ddl`: change the model and run that, not this file.
CREATE EXTERNAL TABLE IF NOT EXISTS crime_by_region (
  level string COMMENT 'country, state, combined (Andhra Pradesh with Telangana) or district',
  state_code string COMMENT 'code as in india_states.geojson, IN-TN',
  state string COMMENT 'name of the state or union territory',
  district string COMMENT 'district or police unit; null above districts',
  year int COMMENT 'calendar year',
  crime_group string COMMENT 'crime group, see crime_group_heads',
  cases bigint COMMENT 'cases registered',
  population bigint COMMENT 'persons, estimated between and after the censuses',
  rate_per_lakh double COMMENT 'cases per 100,000 persons, two decimals; null without population',
  rank_in_year int COMMENT '1 = most cases of its level and year; ties share a rank',
  magnitude string COMMENT 'very high, high, medium, low, very low (fifths by cases) or none'
)
COMMENT 'Cases, rate, rank and magnitude of one place, year and crime group'
STORED AS PARQUET
LOCATION '${lake}/crime_by_region/'
TBLPROPERTIES (
  'made_by' = 'crime-jobs'
)
