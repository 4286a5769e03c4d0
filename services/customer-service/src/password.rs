//! `/customers/{id}/password`.
//!
//! The new hash is committed only when every other session of the customer has ended: who knows the old password, or a token
//! that it was changed for, has nothing from then on. Where DynamoDB does not answer, nothing has changed but sessions that may
//! have ended already.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use schemas::FieldCode;
use secrecy::SecretString;
use service_kit::auth::{Caller, Role, SessionId};
use service_kit::input::{Fields, Parameters, RawBody, Refusal};
use service_kit::{Fault, Id, PathId, Place, Problem};

use crate::credentials::Credentials;
use crate::customer::document::PasswordChange;
use crate::customer::{claimed_password, new_password, no_such_customer};
use crate::customers::{OWNERS, reached};
use crate::{Customers, credentials};

/// A request for a change.
#[derive(Debug)]
struct Change {
    password: SecretString,
    /// What the caller claims the password to be: verified wherever it is told.
    current_password: Option<SecretString>,
}

impl Change {
    fn parse(body: &[u8], caller: &Caller) -> Result<Self, Problem> {
        let mut fields = Fields::parse(body)?;
        let password = fields.required("password", new_password);
        let current_password = fields.optional("current_password", claimed_password);
        if caller.role == Role::Customer && matches!(current_password, Some(None)) {
            fields.fault("current_password", Refusal::new(FieldCode::Required, "is required"));
        }
        fields.finish(|| Some(Change { password: password?, current_password: current_password? }))
    }
}

/// Change a customer's password
///
/// Customers tell the present one as well. Every session of the customer ends at once, but the one that this request is made in.
#[utoipa::path(
    put,
    path = "/customers/{id}/password",
    tag = "customers",
    operation_id = "changePassword",
    params(("id" = inline(Id), Path, description = "Which customer")),
    request_body = PasswordChange,
    responses((status = 204, description = "The password is changed")),
    security(("bearer" = []))
)]
pub(crate) async fn change_password(
    State(customers): State<Arc<Customers>>,
    caller: Caller,
    id: PathId,
    parameters: Parameters,
    RawBody(body): RawBody,
) -> Result<StatusCode, Problem> {
    caller.require(&OWNERS)?;
    parameters.finish()?;
    let change = Change::parse(&body, &caller)?;
    let id = reached(&caller, id)?;
    let work = {
        let customers = Arc::clone(&customers);
        async move { customers.set_password(id, &change, caller.session.as_ref()).await }
    };
    customers.to_the_end(work).await.map(|()| StatusCode::NO_CONTENT)
}

impl Customers {
    async fn set_password(&self, id: Id, change: &Change, own: Option<&SessionId>) -> Result<(), Problem> {
        let mut verified = self.verified(id, change).await?;
        let hash = self.judge.hasher.hash(&change.password).await?;
        // Each further round is somebody else's change that was made in between.
        while !self.try_set_hash(id, &verified, change, &hash, own).await? {
            verified = self.verified(id, change).await?;
        }
        Ok(())
    }

    /// The present credentials, which the caller knows as far as it has to.
    async fn verified(&self, id: Id, change: &Change) -> Result<Credentials, Problem> {
        let found = credentials::of_customer(self.database.pool(), id).await?;
        let present = found.ok_or_else(|| no_such_customer(id))?;
        let Some(claimed) = &change.current_password else { return Ok(present) };
        let Credentials { folded_email, password_hash, .. } = &present;
        if self.judge.is_right(folded_email, claimed, Some(password_hash)).await? {
            return Ok(present);
        }
        let place = Place::Pointer("/current_password".to_owned());
        let detail = "current_password is not the present password; send the one that the customer logs in with";
        Err(Problem::of_faults(vec![Fault { place, code: FieldCode::WrongPassword, detail: detail.to_owned() }]))
    }

    /// Sets the hash and ends the other sessions, unless the password is no longer the one that was verified.
    async fn try_set_hash(
        &self,
        id: Id,
        verified: &Credentials,
        change: &Change,
        hash: &str,
        own: Option<&SessionId>,
    ) -> Result<bool, Problem> {
        let _turn = self.sessions.turn().await?;
        let mut transaction = self.database.begin().await?;
        let present = credentials::lock(&mut transaction, id).await?.ok_or_else(|| no_such_customer(id))?;
        if change.current_password.is_some() && present.password_hash != verified.password_hash {
            return Ok(false);
        }
        credentials::set_hash(&mut transaction, id, hash).await?;
        self.sessions.end_all(&mut transaction, id, own).await?;
        transaction.commit().await?;
        Ok(true)
    }
}
