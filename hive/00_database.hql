-- The database of all tables, on AWS it stands in the Glue Data Catalog
CREATE DATABASE IF NOT EXISTS ${hivevar:database}
COMMENT 'Crime in India, from the files of the National Crime Records Bureau'
LOCATION '${hivevar:warehouse}/${hivevar:database}.db';
