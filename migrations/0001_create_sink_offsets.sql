-- Where the sink stands in each partition it reads. The truth about what PostgreSQL contains: moved by a
-- compare-and-swap in the same transaction as the rows. Group offsets in Kafka are for dashboards only.
CREATE TABLE sink_offsets (
    sink        text        NOT NULL,
    topic       text        NOT NULL,
    partition   integer     NOT NULL,
    topic_id    uuid        NOT NULL,
    next_offset bigint      NOT NULL,
    updated_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT sink_offsets_pkey PRIMARY KEY (sink, topic, partition),
    CONSTRAINT sink_offsets_partition_check CHECK (partition >= 0),
    CONSTRAINT sink_offsets_next_offset_check CHECK (next_offset >= 0)
) WITH (fillfactor = 50);

COMMENT ON COLUMN sink_offsets.sink IS 'application id followed by .sink';
COMMENT ON COLUMN sink_offsets.topic_id IS 'identity Kafka gave the topic: a re-created topic has another';
COMMENT ON COLUMN sink_offsets.next_offset IS 'offset of the next record to be read';
