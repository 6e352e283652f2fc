//! Pages over Registry.
