//! Passwords: argon2id, hashed by a few dedicated threads.

use crate::identity::administration::links::delete_unused_links;
use crate::identity::login::lockout;
use crate::identity::{Login, sessions};
use crate::storage::audit_action::AuditAction;
use crate::storage::write::Event;
use crate::{Actor, ConflictCode, Error, Result};
use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use registry_core::finding::Finding;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, IntoActiveModel};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use tokio::sync::oneshot;

/// Concurrent hashes: each takes 19 MiB and tens of milliseconds of a core.
const MAX_CONCURRENT_HASHES: usize = 2;

/// A hash to compute in the given memory.
type Work = Box<dyn FnOnce(&mut Vec<Block>) + Send>;

/// The threads that only hash. Each reuses its memory: allocating it for each hash fragments the heap, and dozens of
/// login attempts would take a gigabyte.
static HASHERS: LazyLock<Sender<Work>> = LazyLock::new(|| {
    let (sender, receiver) = channel::<Work>();
    let receiver = Arc::new(Mutex::new(receiver));
    for _ in 0..MAX_CONCURRENT_HASHES {
        let receiver = receiver.clone();
        std::thread::spawn(move || {
            let mut memory = Vec::new();
            loop {
                let next = receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
                let Ok(work) = next else { break };
                work(&mut memory);
            }
        });
    }
    sender
});

impl Login<'_> {
    /// Sets the password of the caller and ends the other sessions of the user. `current` is required if there is a
    /// password.
    pub async fn set_password(self, actor: &Actor, current: Option<&str>, new: &str) -> Result<()> {
        self.require_passwords_enabled()?;
        let row = self.registry.users().row(actor).await?;
        if !self.may_have_password(&row) {
            return Err(Error::Conflict {
                code: ConflictCode::SignsInWithProvider,
                message: "You sign in with the identity provider; there is no password here.".to_owned(),
                pointer: Some("/password"),
            });
        }
        let length = new.chars().count();
        if !(12..=256).contains(&length) {
            return Err(Error::invalid(Finding::error(
                "/password",
                "invalid_length",
                "A password has 12 to 256 characters. A few unrelated words make a good one.",
            )));
        }
        if let Some(hash) = row.password_hash.clone() {
            // A stolen session must not be used to guess the password.
            self.registry.inner.sign_in_limits.admit(actor.origin.address.as_deref())?;
            let mut write = self.registry.begin_write(actor).await?;
            lockout::admit(&mut write, &row.email_key).await?;
            write.commit().await?;
            if !verify(current.unwrap_or_default(), Some(hash)).await? {
                return Err(Error::invalid(Finding::error(
                    "/current_password",
                    "wrong_password",
                    "This is not your present password.",
                )));
            }
        }
        let given = new.to_owned();
        let hash = blocking(move |memory| hash_password(&given, memory)).await??;
        let mut write = self.registry.begin_write(actor).await?;
        let (id, name, key) = (row.id, row.email.clone(), row.email_key.clone());
        let mut changed = row.into_active_model();
        changed.password_hash = Set(Some(hash));
        changed.updated_at = Set(write.millis());
        changed.update(&write.txn).await?;
        sessions::end(&write.txn, id, actor.session).await?;
        delete_unused_links(&write, id).await?;
        lockout::forget(&write, &key).await?;
        write.audit(Event::new(AuditAction::UserPasswordSet, "user", id).named(name));
        write.commit().await
    }
}

impl Login<'_> {
    /// Refused where users sign in with the identity provider only.
    pub(crate) fn require_passwords_enabled(self) -> Result<()> {
        if self.registry.settings().passwords {
            return Ok(());
        }
        Err(Error::Unauthenticated("Passwords are disabled here. Sign in with the identity provider."))
    }
}

/// Whether `password` matches `hash`. Without a hash a fixed one is checked, so that an unknown address takes as long
/// as a wrong password.
pub(crate) async fn verify(password: &str, hash: Option<String>) -> Result<bool> {
    let given = password.to_owned();
    blocking(move |memory| verify_password(&given, hash.as_deref(), memory)).await
}

async fn blocking<T: Send + 'static>(work: impl FnOnce(&mut Vec<Block>) -> T + Send + 'static) -> Result<T> {
    let (done, outcome) = oneshot::channel();
    let work: Work = Box::new(move |memory| {
        // Nobody waits for the result of a cancelled request.
        if !done.is_closed() {
            drop(done.send(work(memory)));
        }
    });
    HASHERS.send(work).map_err(|error| Error::Internal(error.to_string().into()))?;
    outcome.await.map_err(|error| Error::Internal(Box::new(error)))
}

fn hash_password(password: &str, memory: &mut Vec<Block>) -> Result<String> {
    let failed = |error: &dyn std::fmt::Display| Error::Internal(error.to_string().into());
    let mut salt = [0; 16];
    aws_lc_rs::rand::fill(&mut salt).map_err(|error| failed(&error))?;
    let params = Params::default();
    let hash = digest(password, &salt, &params, memory).map_err(|error| failed(&error))?;
    let made = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(&params).map_err(|error| failed(&error))?,
        salt: Some(Salt::new(&salt).map_err(|error| failed(&error))?),
        hash: Some(hash),
    };
    Ok(made.to_string())
}

/// Argon2id, version 1.3 (RFC 9106).
fn digest(
    password: &str,
    salt: &[u8],
    params: &Params,
    memory: &mut Vec<Block>,
) -> argon2::password_hash::Result<Output> {
    memory.resize(params.block_count(), Block::default());
    let mut out = [0; Output::MAX_LENGTH];
    let length = params.output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN);
    let out = out.get_mut(..length).ok_or(argon2::password_hash::Error::OutputSize)?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
    argon2.hash_password_into_with_memory(password.as_bytes(), salt, out, memory)?;
    Ok(Output::new(out)?)
}

const DUMMY_HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$Q7Vd1mYcXp0m6kq5cGn2v8r1C9W3tHkE4bS0uJxY5oA";

fn verify_password(password: &str, hash: Option<&str>, memory: &mut Vec<Block>) -> bool {
    let Ok(parsed) = PasswordHash::new(hash.unwrap_or(DUMMY_HASH)) else { return false };
    let (Ok(params), Some(salt)) = (Params::try_from(&parsed), &parsed.salt) else { return false };
    let made = digest(password, salt.as_ref(), &params, memory);
    // In constant time.
    made.is_ok_and(|made| parsed.hash == Some(made)) && hash.is_some()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use argon2::{PasswordHasher, PasswordVerifier};

    /// Otherwise an unknown address would be refused sooner than a wrong password.
    #[test]
    fn dummy_hash_costs_the_same_as_a_real_hash() {
        let memory = &mut Vec::new();
        let made = hash_password("correct horse battery", memory).unwrap();
        let real = made.clone();
        let (real, dummy) = (PasswordHash::new(&real).unwrap(), PasswordHash::new(DUMMY_HASH).unwrap());
        assert_eq!(dummy.params.to_string(), real.params.to_string());
        assert_eq!((dummy.algorithm, dummy.version), (real.algorithm, real.version));
        assert_eq!(dummy.hash.unwrap().len(), real.hash.unwrap().len());
        assert!(verify_password("correct horse battery", Some(&made), memory));
        assert!(!verify_password("correct horse batterz", Some(&made), memory));
        assert!(!verify_password("correct horse battery", None, memory));
        // A hash of the crate's own code.
        let foreign = Argon2::default().hash_password(b"correct horse battery").unwrap().to_string();
        assert!(verify_password("correct horse battery", Some(&foreign), memory));
        assert!(Argon2::default().verify_password(b"correct horse battery", made.as_str()).is_ok());
    }
}
