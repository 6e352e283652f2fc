//! Values that are computed once per type: schemas of bodies, limits of query parameters.

use std::any::TypeId;
use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

/// One value per type. There are as many types as operations, so the memory is bounded.
pub(crate) struct PerType<V: 'static>(RwLock<Option<HashMap<TypeId, &'static V>>>);

impl<V: Send + Sync> PerType<V> {
    pub(crate) const fn new() -> Self {
        Self(RwLock::new(None))
    }

    /// The value for `T`; `make` is called the first time.
    pub(crate) fn get<T: 'static>(&self, make: impl FnOnce() -> V) -> &'static V {
        let key = TypeId::of::<T>();
        let read = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = read.as_ref().and_then(|known| known.get(&key)) {
            return value;
        }
        drop(read);
        let value = make();
        let mut write = self.0.write().unwrap_or_else(PoisonError::into_inner);
        write.get_or_insert_default().entry(key).or_insert_with(|| Box::leak(Box::new(value)))
    }
}
