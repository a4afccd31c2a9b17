//! Looks a protocol's metrics up and writes them as JSON.
//!
//! Every column is named: a `SELECT *` that this version prepared would break when the next version's migration adds a
//! column ("cached plan must not change result type").

use serde::Serialize;
use serde_json::value::RawValue;
use sqlx::PgConnection;

use crate::question::Question;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Performance {
    protocol_id: String,
    count: usize,
    performance: Vec<Point>,
}

#[derive(Serialize)]
struct Point {
    timestamp: String,
    apy: Apy,
    users: Users,
    revenue: Revenue,
}

/// Percent a year, over windows of these lengths.
#[derive(Serialize)]
struct Apy {
    #[serde(rename = "7d")]
    week: Decimal,
    #[serde(rename = "30d")]
    month: Decimal,
    #[serde(rename = "90d")]
    quarter: Decimal,
    #[serde(rename = "1y")]
    year: Decimal,
}

#[derive(Serialize)]
struct Users {
    dau: Option<i32>,
    wau: Option<i32>,
    mau: Option<i32>,
}

#[derive(Serialize)]
struct Revenue {
    daily: Decimal,
    weekly: Decimal,
    monthly: Decimal,
}

/// A number with the digits that Postgres wrote: a binary fraction would change cents.
/// Postgres' `NaN`, which JSON has not, becomes null.
struct Decimal(Option<Box<RawValue>>);

impl From<Option<String>> for Decimal {
    fn from(text: Option<String>) -> Self {
        Self(text.and_then(|text| RawValue::from_string(text).ok()))
    }
}

impl Serialize for Decimal {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

type Row = (
    String,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<i32>,
    Option<i32>,
    Option<i32>,
    Option<String>,
    Option<String>,
    Option<String>,
);

/// Served by the index over (protocol_id, timestamp). `id` settles the order of points with the same time.
const POINTS: &str = r#"
SELECT to_char("timestamp" AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
       apy_7d::text, apy_30d::text, apy_90d::text, apy_1y::text,
       dau, wau, mau,
       daily_revenue::text, weekly_revenue::text, monthly_revenue::text
FROM protocol_performance_metrics
WHERE protocol_id = $1
  AND ($2::text IS NULL OR "timestamp" >= $2::text::timestamptz)
  AND ($3::text IS NULL OR "timestamp" < $3::text::timestamptz)
ORDER BY "timestamp" DESC, id
LIMIT $4"#;

const KNOWN: &str = "SELECT EXISTS (SELECT 1 FROM protocol_performance_metrics WHERE protocol_id = $1)";

/// The protocol's points within the asked range, or `None` for a protocol without a single point at any time.
pub async fn find(connection: &mut PgConnection, question: &Question) -> Result<Option<Performance>, sqlx::Error> {
    let rows: Vec<Row> = sqlx::query_as(POINTS)
        .bind(&question.protocol_id)
        .bind(question.from.map(|time| time.to_string()))
        .bind(question.to.map(|time| time.to_string()))
        .bind(i64::from(question.limit))
        .fetch_all(&mut *connection)
        .await?;
    if rows.is_empty() {
        let known: bool = sqlx::query_scalar(KNOWN)
            .bind(&question.protocol_id)
            .fetch_one(connection)
            .await?;
        if !known {
            return Ok(None);
        }
    }
    let performance: Vec<Point> = rows.into_iter().map(Point::from).collect();
    Ok(Some(Performance {
        protocol_id: question.protocol_id.clone(),
        count: performance.len(),
        performance,
    }))
}

impl From<Row> for Point {
    fn from((timestamp, week, month, quarter, year, dau, wau, mau, daily, weekly, monthly): Row) -> Self {
        Self {
            timestamp,
            apy: Apy {
                week: week.into(),
                month: month.into(),
                quarter: quarter.into(),
                year: year.into(),
            },
            users: Users { dau, wau, mau },
            revenue: Revenue {
                daily: daily.into(),
                weekly: weekly.into(),
                monthly: monthly.into(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decimal_keeps_its_digits() {
        let text = |text: Option<&str>| serde_json::to_string(&Decimal::from(text.map(str::to_owned))).unwrap();
        assert_eq!(text(Some("123456789012345678.10")), "123456789012345678.10");
        assert_eq!(text(Some("NaN")), "null");
        assert_eq!(text(None), "null");
    }
}
