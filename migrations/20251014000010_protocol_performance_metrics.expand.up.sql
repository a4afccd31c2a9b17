-- phase: expand
-- What GET /analytics/protocol/{protocolId}/performance serves.
-- Only adds, so the version that knows nothing of this table runs on undisturbed.

CREATE TABLE protocol_performance_metrics (
    id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    protocol_id     varchar(255) NOT NULL,
    "timestamp"     timestamptz NOT NULL,

    -- Percent a year over 7, 30 and 90 days and a year.
    apy_7d          numeric(10, 4),
    apy_30d         numeric(10, 4),
    apy_90d         numeric(10, 4),
    apy_1y          numeric(10, 4),

    -- Daily, weekly and monthly active users.
    dau             integer,
    wau             integer,
    mau             integer,

    -- US dollars.
    daily_revenue   numeric(20, 2),
    weekly_revenue  numeric(20, 2),
    monthly_revenue numeric(20, 2),

    created_at      timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
    updated_at      timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP
);

-- The table is new and empty, so building these blocks nobody.
CREATE INDEX protocol_performance_metrics_protocol_id_index ON protocol_performance_metrics (protocol_id);
CREATE INDEX protocol_performance_metrics_timestamp_index ON protocol_performance_metrics ("timestamp");
CREATE INDEX protocol_performance_metrics_protocol_id_timestamp_index ON protocol_performance_metrics (protocol_id, "timestamp");
