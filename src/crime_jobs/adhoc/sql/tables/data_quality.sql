-- Made by `python -m crime_jobs.adhoc.ddl`: change the model and run that, not this file.
CREATE EXTERNAL TABLE IF NOT EXISTS data_quality (
  check_name string COMMENT 'what was compared',
  source_file string COMMENT 'landing file the figure comes from',
  scope string COMMENT 'state, district, year and head that were compared',
  expected bigint COMMENT 'the figure it should be',
  found bigint COMMENT 'the figure it is',
  difference bigint COMMENT 'found minus expected',
  status string COMMENT 'ok, or what is wrong'
)
COMMENT 'One comparison of the sources with each other, with themselves or with the facts'
STORED AS PARQUET
LOCATION '${lake}/data_quality/'
TBLPROPERTIES (
  'made_by' = 'crime-jobs'
)
