-- Made by `python -m crime_jobs.adhoc.ddl`: change the model and run that, not this file.
CREATE EXTERNAL TABLE IF NOT EXISTS quarantine (
  source_file string COMMENT 'landing file the figure comes from',
  line int COMMENT 'line in the file, the header is 1',
  reason string COMMENT 'what is wrong with it, the column named',
  record string COMMENT 'the row as it stands in the file'
)
COMMENT 'A landing row that could not be used, with the reason'
STORED AS PARQUET
LOCATION '${lake}/quarantine/'
TBLPROPERTIES (
  'made_by' = 'crime-jobs'
)
