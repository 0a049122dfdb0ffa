-- Made by `python -m crime_jobs.adhoc.ddl`: change the model and run that, not this file.
CREATE EXTERNAL TABLE IF NOT EXISTS crime_facts (
  state_code string COMMENT 'code as in india_states.geojson, IN-TN',
  state string COMMENT 'name of the state or union territory',
  district string COMMENT 'district or police unit, one name in all years',
  district_kind string COMMENT 'district, railway (railway police) or unit (CID and the like)',
  crime_head string COMMENT 'crime head, a leaf: no head here is part of another',
  cases bigint COMMENT 'cases registered',
  source_file string COMMENT 'landing file the figure comes from'
)
COMMENT 'One district, year and leaf crime head; a plain SUM(cases) counts each case once'
PARTITIONED BY (
  year int COMMENT 'calendar year'
)
STORED AS PARQUET
LOCATION '${lake}/crime_facts/'
TBLPROPERTIES (
  'made_by' = 'crime-jobs',
  'projection.enabled' = 'true',
  'projection.year.type' = 'integer',
  'projection.year.range' = '2001,2040',
  'storage.location.template' = '${lake}/crime_facts/year=${year}/'
)
