//! Passwords: argon2id, a few at a time, never on a thread that serves others.

use crate::write::Event;
use crate::{Actor, Error, Registry, Result, lockout, sessions};
use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use registry_core::finding::Finding;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, IntoActiveModel};
use tokio::sync::Semaphore;

/// Passwords that are hashed at the same time: each takes 19 MiB and tens of milliseconds of a core.
static HASHING: Semaphore = Semaphore::const_new(4);

impl Registry {
    /// Sets the caller's password and ends their other sessions. The present password is needed where there is one.
    pub async fn set_password(&self, actor: &Actor, current: Option<&str>, new: &str) -> Result<()> {
        self.expect_passwords()?;
        let row = self.user_row(actor).await?;
        let length = new.chars().count();
        if !(12..=256).contains(&length) {
            return Err(Error::invalid(Finding::error(
                "/password",
                "invalid_length",
                "A password has 12 to 256 characters. A few unrelated words make a good one.",
            )));
        }
        if let Some(hash) = row.password_hash.clone() {
            // Whoever came by a session must not find out the password with it.
            self.inner.sign_in_limits.admit(actor.origin.address.as_deref())?;
            self.check_lockout(&row.email_key).await?;
            if !verify(current.unwrap_or_default(), Some(hash)).await? {
                let write = self.begin_write(actor).await?;
                lockout::count(&write, &row.email_key).await?;
                write.commit().await?;
                return Err(Error::invalid(Finding::error(
                    "/current_password",
                    "wrong_password",
                    "This is not your present password.",
                )));
            }
        }
        let given = new.to_owned();
        let hash = blocking(move || hash_password(&given)).await??;
        let mut write = self.begin_write(actor).await?;
        let (id, name) = (row.id, row.email.clone());
        let mut changed = row.into_active_model();
        changed.password_hash = Set(Some(hash));
        changed.updated_at = Set(write.millis());
        changed.update(&write.txn).await?;
        sessions::end(&write.txn, id, actor.session).await?;
        write.audit(Event::new("user.password_set", "user", id).named(name));
        write.commit().await
    }
}

impl Registry {
    /// Refuses where people sign in by the identity provider alone.
    pub(crate) fn expect_passwords(&self) -> Result<()> {
        if self.settings().passwords {
            return Ok(());
        }
        Err(Error::Unauthenticated("Passwords are switched off here. Sign in with the identity provider."))
    }
}

/// Whether `password` is the one of `hash`. Where there is none a fixed one is checked, so that an unknown address takes
/// as long as a wrong password.
pub(crate) async fn verify(password: &str, hash: Option<String>) -> Result<bool> {
    let given = password.to_owned();
    blocking(move || verify_password(&given, hash.as_deref())).await
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    let _turn = HASHING.acquire().await.map_err(|error| Error::Internal(Box::new(error)))?;
    tokio::task::spawn_blocking(work).await.map_err(|error| Error::Internal(Box::new(error)))
}

fn hash_password(password: &str) -> Result<String> {
    Argon2::default()
        .hash_password(password.as_bytes())
        .map(|hash| hash.to_string())
        .map_err(|error| Error::Internal(error.to_string().into()))
}

const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$Q7Vd1mYcXp0m6kq5cGn2v8r1C9W3tHkE4bS0uJxY5oA";

fn verify_password(password: &str, hash: Option<&str>) -> bool {
    let Ok(parsed) = PasswordHash::new(hash.unwrap_or(NOBODY)) else { return false };
    Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok() && hash.is_some()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// Else an unknown address would be refused sooner than a wrong password.
    #[test]
    fn nobodys_hash_costs_what_a_real_one_costs() {
        let real = hash_password("correct horse battery").unwrap();
        let (real, nobody) = (PasswordHash::new(&real).unwrap(), PasswordHash::new(NOBODY).unwrap());
        assert_eq!(nobody.params.to_string(), real.params.to_string());
        assert_eq!((nobody.algorithm, nobody.version), (real.algorithm, real.version));
        assert_eq!(nobody.hash.unwrap().len(), real.hash.unwrap().len());
        assert!(verify_password(
            "correct horse battery",
            Some(&hash_password("correct horse battery").unwrap())
        ));
        assert!(!verify_password("correct horse battery", None));
    }
}
