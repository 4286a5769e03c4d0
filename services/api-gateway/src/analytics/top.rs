//! `/analytics/top`: the products that most people look at.

#![allow(unused_qualifications, reason = "utoipa's macro writes them")]

use std::collections::HashMap;

use axum::extract::{Request, State};
use axum::response::Response;
use schemas::TopicRow;
use serde::Serialize;
use serde_json::Value;
use service_kit::input::{Parameters, number};
use service_kit::{Id, Problem, RequestContext};
use utoipa::{IntoParams, ToSchema};

use super::Analytics;
use super::freshness::Freshness;
use super::memory::{MINUTES, Row};
use super::names;
use super::ranking::{Ranked, Ranking};
use crate::expand::{Asked, Unavailable, composed, missing_part, or_null};
use crate::gateway::Gateway;
use crate::routes::Access;

/// How many products are told where the client does not say.
const DEFAULT_LIMIT: usize = 10;
/// How many are told at most: the names of both minutes are one question to the catalog.
const MAX_LIMIT: usize = names::AT_ONCE / 2;
/// How many minutes of a product's past are told at most: what is remembered beside the running one.
const MAX_HISTORY: usize = MINUTES as usize - 1;

/// The products that most people look at.
#[derive(Serialize, ToSchema)]
struct Top {
    /// The newest minute that is over; `null` where there is none.
    #[schema(required = true)]
    closed: Option<TopMinute>,
    /// The running minute; `null` while nobody has looked in it.
    #[schema(required = true)]
    open: Option<TopMinute>,
    /// How old counts are; `null` where that cannot be told.
    #[schema(required = true, value_type = Option<Freshness>)]
    freshness: Value,
    /// What cannot be had, and why: `product_name`, `freshness`.
    #[schema(value_type = Vec<Unavailable>)]
    unavailable: Vec<Value>,
}

/// A minute and the products that lead in it.
#[derive(Serialize, ToSchema)]
struct TopMinute {
    /// When the minute begins, UTC.
    #[schema(example = "2024-01-01T12:00:00Z")]
    window_start: String,
    /// When it ends.
    #[schema(example = "2024-01-01T12:01:00Z")]
    window_end: String,
    /// The greatest count first; of equal counts the product whose id comes first in the order of bytes.
    items: Vec<TopProduct>,
}

/// A product that leads.
#[derive(Serialize, ToSchema)]
struct TopProduct {
    /// Its position, from 1: equal counts have ranks of their own.
    #[schema(example = 1)]
    rank: usize,
    /// The product, as events name it.
    #[schema(example = "42")]
    product_id: String,
    /// Its name; `null` where the catalog has none, or cannot be asked.
    #[schema(required = true)]
    product_name: Option<String>,
    /// How many different users looked at it.
    #[schema(example = 17)]
    unique_user_count: u64,
    /// Grows each time that a final count changes; 0 at first.
    revision: u64,
    /// Whether the count is final.
    r#final: bool,
    /// Its minutes up to this one, the last first, where `history` asks for them. Those in which nobody looked are left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, value_type = Vec<PastCount>)]
    history: Option<Vec<PastCount>>,
}

/// A product's count in a minute.
#[derive(Serialize, ToSchema)]
struct PastCount {
    /// When the minute begins, UTC.
    #[schema(example = "2024-01-01T12:00:00Z")]
    window_start: String,
    /// How many different users looked at it.
    #[schema(example = 17)]
    unique_user_count: u64,
    /// Grows each time that a final count changes; 0 at first.
    revision: u64,
    /// Whether the minute is over.
    r#final: bool,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "describes what read_top reads")]
struct TopParameters {
    /// How many products of each minute at most.
    #[param(minimum = 1, maximum = 100, default = 10, required = false)]
    limit: u8,
    /// How many minutes of each product's past to tell, for a small chart.
    #[param(minimum = 0, maximum = 30, default = 0, required = false)]
    history: u8,
}

/// Read which products most people look at
///
/// In the newest minute that is over, by its final counts, and in the running one. A minute counts as over when all of its
/// counts are final, or a later minute has final ones.
#[utoipa::path(
    get,
    path = "/analytics/top",
    tag = "analytics",
    operation_id = "readTop",
    params(TopParameters),
    responses((status = 200, description = "The leading products", body = Top))
)]
pub(super) async fn read_top(
    State(gateway): State<Gateway>,
    context: RequestContext,
    mut parameters: Parameters,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let caller = gateway.admit(&parts, Access::Public).await?;
    let limit = parameters.optional("limit", number(1..=MAX_LIMIT)).unwrap_or(DEFAULT_LIMIT);
    let history = parameters.optional("history", number(0..=MAX_HISTORY)).unwrap_or(0);
    parameters.finish()?;
    let analytics = gateway.analytics();
    let [closed, open] = analytics.rankings(limit, history)?;
    let rankings = [&closed, &open].into_iter().flatten();
    let mut product_ids: Vec<&str> = rankings.flat_map(|ranking| &ranking.ranked).map(Ranked::product_id).collect();
    product_ids.sort_unstable();
    product_ids.dedup();
    let asked = Asked { gateway: &gateway, caller: &caller, context: &context };
    let ((names, problem), freshness) =
        tokio::join!(analytics.names.of(&asked, &product_ids), analytics.freshness_by_topic());
    let mut unavailable: Vec<Value> = problem.iter().map(|problem| missing_part("product_name", problem)).collect();
    let freshness = freshness.and_then(|freshness| serde_json::to_value(freshness).map_err(Problem::internal));
    let freshness = or_null("freshness", freshness, &mut unavailable);
    let minute = |ranking: Option<Ranking>| Some(told(&ranking?, &names, history > 0));
    let top = Top { closed: minute(closed), open: minute(open), freshness, unavailable };
    Ok(composed(serde_json::to_value(top).map_err(Problem::internal)?))
}

impl Analytics {
    /// Who leads in the newest minute that is over, and in the running one.
    fn rankings(&self, limit: usize, history: usize) -> Result<[Option<Ranking>; 2], Problem> {
        self.recent.check_caught_up()?;
        let memory = self.recent.memory();
        let minutes = u32::try_from(history).map_err(Problem::internal)?;
        let closed = memory.closed().map(|window| Ranking::of(&memory, window, true, limit, minutes));
        let open = memory.open().map(|window| Ranking::of(&memory, window, false, limit, minutes));
        Ok([closed, open])
    }
}

impl Ranked {
    fn product_id(&self) -> &str {
        &self.row.row.row.product_id
    }
}

fn told(ranking: &Ranking, names: &HashMap<Id, String>, with_history: bool) -> TopMinute {
    let product = |(index, ranked): (usize, &Ranked)| {
        let TopicRow { row, is_final } = &ranked.row.row;
        TopProduct {
            rank: index + 1,
            product_id: row.product_id.clone(),
            product_name: row.product_id.parse().ok().and_then(|id: Id| names.get(&id).cloned()),
            unique_user_count: row.unique_user_count,
            revision: row.revision,
            r#final: *is_final,
            history: with_history.then(|| ranked.history.iter().map(|row| past(row)).collect()),
        }
    };
    TopMinute {
        window_start: ranking.window.start_text(),
        window_end: ranking.window.end_text(),
        items: ranking.ranked.iter().enumerate().map(product).collect(),
    }
}

fn past(row: &Row) -> PastCount {
    let TopicRow { row, is_final } = &row.row;
    PastCount {
        window_start: row.window.start_text(),
        unique_user_count: row.unique_user_count,
        revision: row.revision,
        r#final: *is_final,
    }
}
