//! Publishes and reads Client ID Metadata Documents.

use crate::actor::Actor;
use crate::ports::registration_queue::{Claim, StepError};
use crate::ports::step_record::Published;
use crate::registration::Registrations;
use crate::registration::context::{Context, claimed};
use crate::storage::columns::hex;
use crate::storage::entity::registration;
use crate::{Error, Registry, Result};
use registry_core::oauth::{client_id_document, document_url};
use sea_orm::ActiveValue::Set;
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, QueryFilter};

/// Publishes the Client ID Metadata Document of a claimed registration: from the commit on, the document is served at its
/// URL. A document that was published before keeps its URL. Fails with [`StepError::Refused`] if the metadata cannot be
/// published in a document.
pub(crate) async fn publish_document(
    registry: &Registry,
    claim: &Claim,
    context: &Context,
) -> Result<Published, StepError> {
    let Some(public_url) = &context.row.layers.in_force.settings.cimd_public_url else {
        return Err(Error::Internal("a document without `cimd.public_url`".into()).into());
    };
    let write = registry.begin_write(&Actor::worker(&claim.worker)).await?;
    let row = claimed(&write, claim).await?;
    // The document has a random id, because the id of the registration contains the time of its creation.
    let id = match row.document_id.clone() {
        Some(id) => id,
        None => random_id()?,
    };
    let url = document_url(public_url, &id);
    let effective = &context.desired.effective;
    let text = match client_id_document(&url, &effective.client_metadata, effective.is_admins("scope")) {
        Ok(text) => text,
        Err(failure) => return Err(StepError::Refused(failure)),
    };
    registration::ActiveModel {
        id: Set(row.id),
        document_id: Set(Some(id)),
        document: Set(Some(text.clone())),
        ..Default::default()
    }
    .update(&write.txn)
    .await?;
    write.commit().await?;
    Ok(Published { url, text })
}

/// 128 random bits in hexadecimal.
fn random_id() -> Result<String> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes)
        .map_err(|_| Error::Internal("the system gave no random numbers".into()))?;
    Ok(hex(&bytes))
}

impl Registrations<'_> {
    /// The Client ID Metadata Document that is published under this document id; `None` if there is none.
    pub async fn client_id_document(self, id: &str) -> Result<Option<String>> {
        let row = registration::Entity::find()
            .filter(registration::Column::DocumentId.eq(id))
            .one(self.registry.db())
            .await?;
        Ok(row.and_then(|row| row.document))
    }
}
