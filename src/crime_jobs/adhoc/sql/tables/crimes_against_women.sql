-- Made by `python -m crime_jobs.adhoc.ddl`: change the model and run that, not this file.
CREATE EXTERNAL TABLE IF NOT EXISTS crimes_against_women (
  level string COMMENT 'country, state, combined (Andhra Pradesh with Telangana) or district',
  state_code string COMMENT 'code as in india_states.geojson, IN-TN',
  state string COMMENT 'name of the state or union territory',
  year int COMMENT 'calendar year',
  women_group string COMMENT 'group of heads, see crime_group_heads (women_facts)',
  scope string COMMENT 'scope of the year\'s source table',
  cases bigint COMMENT 'cases registered',
  population bigint COMMENT 'persons, estimated between and after the censuses',
  rate_per_lakh double COMMENT 'cases per 100,000 persons, two decimals; null without population',
  change_pct double COMMENT 'change on the year before in percent, one decimal; null at a break',
  trend string COMMENT 'rising, steady, falling, series break or no base'
)
COMMENT 'Crimes against women of one place, year and group, with the scope of the year\'s table'
STORED AS PARQUET
LOCATION '${lake}/crimes_against_women/'
TBLPROPERTIES (
  'made_by' = 'crime-jobs'
)
