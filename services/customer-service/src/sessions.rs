//! `/sessions` and `/sessions/current`: logging in and out.

pub(crate) mod list;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, LOCATION};
use axum::http::{HeaderName, StatusCode};
use schemas::EventTime;
use secrecy::SecretString;
use serde::Serialize;
use service_kit::auth::{Caller, Role};
use service_kit::input::{Fields, Parameters, RawBody, rule};
use service_kit::{Id, Kind, Problem, fold};
use utoipa::ToSchema;

use self::list::{Beginning, Begun};
use crate::Customers;
use crate::credentials::{self, Credentials};
use crate::customer::claimed_password;

/// Where a session is to those who have it.
const CURRENT: &str = "/sessions/current";
/// Who may have a session.
const KNOWN: [Role; 4] = [Role::Admin, Role::Service, Role::Customer, Role::Writer];

/// What somebody logs in with.
#[derive(Debug)]
struct Login {
    folded_email: String,
    password: SecretString,
}

impl Login {
    fn parse(body: &[u8]) -> Result<Self, Problem> {
        let mut fields = Fields::parse(body)?;
        // What nobody can have is wrong like anything else that nobody has.
        let email = fields.required("email", rule::text(0..=usize::MAX));
        let password = fields.required("password", claimed_password);
        fields.finish(|| Some(Login { folded_email: fold(&email?), password: password? }))
    }
}

/// What to log in with.
#[derive(ToSchema)]
#[schema(as = Login)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes what Login reads")]
pub(crate) struct LoginBody {
    /// The customer's e-mail address, in small or capital letters.
    #[schema(example = "ann@example.com")]
    email: String,
    /// The customer's password.
    #[schema(write_only, format = Password)]
    password: String,
}

/// A login session.
#[derive(Serialize, ToSchema)]
pub(crate) struct Session {
    /// What requests show from now on, in `Authorization: Bearer`. It is told once.
    #[schema(example = "pDTPfRBYGUjgJ3zXYTHuG6vE3b1ASfNOc1xnVYyb2vE")]
    token: String,
    /// How the token is shown.
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// When the session ends, unless it is ended before.
    #[schema(value_type = String, format = DateTime, example = "2026-01-31T12:00:00.000Z")]
    expires_at: EventTime,
    /// Who is logged in.
    customer_id: Id,
    /// What it may do.
    #[schema(value_type = String, example = "customer")]
    role: Role,
}

/// Log in
///
/// Too many failures with one e-mail address are answered 429 for a while, whether anybody has it or not.
#[utoipa::path(
    post,
    path = "/sessions",
    tag = "sessions",
    operation_id = "beginSession",
    request_body = LoginBody,
    responses((
        status = 201,
        description = "The session",
        body = Session,
        headers(("Location" = String, description = "Where it can be ended"))
    ))
)]
pub(crate) async fn begin_session(
    State(customers): State<Arc<Customers>>,
    _: Caller,
    parameters: Parameters,
    RawBody(body): RawBody,
) -> Result<(StatusCode, [(HeaderName, &'static str); 2], Json<Session>), Problem> {
    parameters.finish()?;
    let login = Login::parse(&body)?;
    let work = {
        let customers = Arc::clone(&customers);
        async move {
            let session = customers.log_in(&login).await;
            customers.metrics.count_login(&session);
            session
        }
    };
    let session = customers.to_the_end(work).await?;
    Ok((StatusCode::CREATED, [(LOCATION, CURRENT), (CACHE_CONTROL, "no-store")], Json(session)))
}

/// Log out
///
/// Ends the session whose token this request shows, at once.
#[utoipa::path(
    delete,
    path = "/sessions/current",
    tag = "sessions",
    operation_id = "endSession",
    responses(
        (status = 204, description = "The session is ended"),
        (
            status = 404,
            description = "The credentials belong to no session",
            body = ref("#/components/schemas/Problem"),
            content_type = "application/problem+json"
        )
    ),
    security(("bearer" = []))
)]
pub(crate) async fn end_session(
    State(customers): State<Arc<Customers>>,
    caller: Caller,
    parameters: Parameters,
) -> Result<StatusCode, Problem> {
    caller.require(&KNOWN)?;
    parameters.finish()?;
    let session = caller.session.as_ref().ok_or_else(|| {
        Problem::not_found("these credentials belong to no session; they end by themselves, or where they were issued")
    })?;
    customers.sessions.end(session).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl Customers {
    /// Begins a session for whoever has the password.
    async fn log_in(&self, login: &Login) -> Result<Session, Problem> {
        let Login { folded_email, password } = login;
        self.judge.check(folded_email)?;
        // Each further round is a change of the password that was made in between.
        loop {
            let found = credentials::of_email(self.database.pool(), folded_email).await?;
            let stored = found.as_ref().map(|found| found.password_hash.as_str());
            let is_right = self.judge.is_right(folded_email, password, stored).await?;
            let verified = found.filter(|_| is_right).ok_or_else(refused)?;
            let id = Id::new(verified.id)
                .ok_or_else(|| Problem::internal(format_args!("the customer id {} is none", verified.id)))?;
            match self.sessions.begin(id, &verified.password_hash).await? {
                Beginning::Begun(begun) => {
                    self.renew_hash(id, &verified, password).await;
                    return Ok(session(id, begun));
                }
                Beginning::PasswordChanged => {}
                Beginning::Closed => return Err(refused()),
            }
        }
    }

    /// Replaces a hash that was made in another way than new ones are. Where that fails, the next login does it.
    async fn renew_hash(&self, id: Id, verified: &Credentials, password: &SecretString) {
        if !self.judge.hasher.is_outdated(&verified.password_hash) {
            return;
        }
        let renew = async {
            let hash = self.judge.hasher.hash(password).await?;
            credentials::replace_hash(self.database.pool(), id, &verified.password_hash, &hash).await?;
            Ok::<(), Problem>(())
        };
        if let Err(problem) = renew.await {
            tracing::warn!(customer = %id, kind = problem.kind().slug(), "the hash of a password is not renewed yet");
        }
    }
}

fn session(customer_id: Id, begun: Begun) -> Session {
    let Begun { token, expires_at } = begun;
    Session { token, token_type: "Bearer", expires_at, customer_id, role: Role::Customer }
}

/// One answer for everything that can be wrong: it tells nobody which addresses there are.
fn refused() -> Problem {
    Problem::new(Kind::Unauthenticated, "e-mail address and password do not go together; check both and try again")
}
