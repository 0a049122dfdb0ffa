-- Made by `python -m crime_jobs.adhoc.ddl`: change the model and run that, not this file.
CREATE EXTERNAL TABLE IF NOT EXISTS landing_traffic_slot_csv (
  state string COMMENT 'state as the file has it',
  year string COMMENT 'year as the file has it',
  slot_00_03 string COMMENT 'accidents, 00-03 hours',
  slot_03_06 string COMMENT 'accidents, 03-06 hours',
  slot_06_09 string COMMENT 'accidents, 06-09 hours',
  slot_09_12 string COMMENT 'accidents, 09-12 hours',
  slot_12_15 string COMMENT 'accidents, 12-15 hours',
  slot_15_18 string COMMENT 'accidents, 15-18 hours',
  slot_18_21 string COMMENT 'accidents, 18-21 hours',
  slot_21_24 string COMMENT 'accidents, 21-24 hours',
  total_cases string COMMENT 'total of the row as the file has it'
)
COMMENT 'Landing files of layout traffic_slot, as they came; all columns are text'
ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde'
STORED AS TEXTFILE
LOCATION '${lake}/landing_by_layout/traffic_slot/'
TBLPROPERTIES (
  'made_by' = 'crime-jobs',
  'skip.header.line.count' = '1'
)
