-- Records that could not be processed, kept whole until somebody decides about them.
CREATE TABLE dead_letters (
    app              text        NOT NULL,
    topic            text        NOT NULL,
    partition        integer     NOT NULL,
    "offset"         bigint      NOT NULL,
    origin           text        NOT NULL,
    code             text        NOT NULL,
    exception        text,
    message          text        NOT NULL,
    headers          jsonb       NOT NULL,
    key              bytea,
    value            bytea,
    attempts         integer,
    redrive_count    integer,
    first_failure_at text,
    record_at        timestamptz,
    letter_partition integer,
    letter_offset    bigint,
    status           text        NOT NULL DEFAULT 'NEW',
    stored_at        timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT dead_letters_pkey PRIMARY KEY (app, topic, partition, "offset"),
    CONSTRAINT dead_letters_origin_check CHECK (origin IN ('processor', 'sink')),
    CONSTRAINT dead_letters_status_check CHECK (status IN ('NEW', 'REDRIVEN', 'PARKED', 'RESOLVED'))
);

COMMENT ON COLUMN dead_letters.topic IS 'topic, partition and offset of the record itself';
COMMENT ON COLUMN dead_letters.origin IS 'who gave up: the processor (by deadletter.events) or the sink';
COMMENT ON COLUMN dead_letters.headers IS 'array of {name, value} in their order; hex instead of value when not text';
COMMENT ON COLUMN dead_letters.first_failure_at IS 'header x-dlq-first-failure-ts as it was written';
COMMENT ON COLUMN dead_letters.letter_offset IS 'where the letter lies in deadletter.events; null when the sink gave up';
