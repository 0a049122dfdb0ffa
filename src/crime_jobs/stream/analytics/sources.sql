-- The stream of FIRs. Its columns, in their order, are those of crime_jobs.model.fir_event, without the identity.
-- A time of the future can't move the stream's own time: what is a minute or more ahead of its arrival counts as
-- of its arrival. What can't be read has null columns, and is passed over by the views; the consumer has it as a
-- dead letter.
CREATE TABLE firs (
${columns},
    arrived_at TIMESTAMP_LTZ(3)${arrival},
    event_time AS COALESCE(
        CASE WHEN reported_at > arrived_at + INTERVAL '1' MINUTE THEN arrived_at ELSE reported_at END,
        TO_TIMESTAMP_LTZ(0, 3)
    ),
    processed_at AS PROCTIME(),
    WATERMARK FOR event_time AS event_time - INTERVAL '2' MINUTE
) WITH (
${source}
);

-- What is found: one JSON object a record. A result is known by kind, window, place and group, or by fir_key; one
-- that comes again takes the place of the one before.
CREATE TABLE counts (
    kind STRING,
    window_start STRING,
    window_end STRING,
    state_code STRING,
    district STRING,
    crime_group STRING,
    firs BIGINT,
    against_women BIGINT,
    out_of_order BIGINT,
    expected DOUBLE,
    fir_key STRING
)${partitions} WITH (
${sink}
);
