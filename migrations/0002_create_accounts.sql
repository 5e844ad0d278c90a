-- The last known state of every account. One row per user. No index but the key: every update of an indexed
-- column would write a new index entry instead of staying within its page.
CREATE TABLE accounts (
    account_id         bigint      NOT NULL,
    user_id            bigint      NOT NULL,
    currency           text        NOT NULL,
    overdraft_fen      bigint      NOT NULL,
    balance_fen        bigint      NOT NULL,
    total_credited_fen bigint      NOT NULL,
    total_debited_fen  bigint      NOT NULL,
    status             text        NOT NULL,
    account_version    bigint      NOT NULL,
    partition          integer     NOT NULL,
    "offset"           bigint      NOT NULL,
    changed_at         timestamptz NOT NULL,
    CONSTRAINT accounts_pkey PRIMARY KEY (account_id),
    CONSTRAINT accounts_user_check CHECK (user_id = account_id AND user_id > 0),
    CONSTRAINT accounts_currency_check CHECK (currency ~ '^[A-Z]{3}$'),
    CONSTRAINT accounts_overdraft_check CHECK (overdraft_fen >= 0),
    CONSTRAINT accounts_totals_check CHECK (total_credited_fen >= 0 AND total_debited_fen >= 0),
    CONSTRAINT accounts_balance_check CHECK (balance_fen = total_credited_fen - total_debited_fen),
    CONSTRAINT accounts_funds_check CHECK (balance_fen >= -overdraft_fen),
    CONSTRAINT accounts_status_check CHECK (status IN ('OPEN', 'FROZEN', 'CLOSED')),
    CONSTRAINT accounts_version_check CHECK (account_version >= 1)
) WITH (fillfactor = 80);

COMMENT ON COLUMN accounts.total_credited_fen IS 'sum of all positive changes: deposits and refunds';
COMMENT ON COLUMN accounts.total_debited_fen IS 'sum of all negative changes, without their sign';
COMMENT ON COLUMN accounts."offset" IS 'offset in account.events of the last event that changed the account';
COMMENT ON COLUMN accounts.changed_at IS 'time of that event, not of the write';
