-- Made by `python -m crime_jobs.adhoc.ddl`: change the model and run that, not this file.
CREATE EXTERNAL TABLE IF NOT EXISTS women_facts (
  state_code string COMMENT 'code as in india_states.geojson, IN-TN',
  state string COMMENT 'name of the state or union territory',
  district string COMMENT 'district or police unit, one name in all years',
  district_kind string COMMENT 'district, railway (railway police) or unit (CID and the like)',
  crime_head string COMMENT 'crime head, a leaf: no head here is part of another',
  cases bigint COMMENT 'cases registered',
  scope string COMMENT 'ipc_seven_heads (to 2013) or ipc_and_special_laws (2014)',
  source_file string COMMENT 'landing file the figure comes from'
)
COMMENT 'Crimes against women: one district, year and leaf head, within the scope of its source'
PARTITIONED BY (
  year int COMMENT 'calendar year'
)
STORED AS PARQUET
LOCATION '${lake}/women_facts/'
TBLPROPERTIES (
  'made_by' = 'crime-jobs',
  'projection.enabled' = 'true',
  'projection.year.type' = 'integer',
  'projection.year.range' = '2001,2040',
  'storage.location.template' = '${lake}/women_facts/year=${year}/'
)
