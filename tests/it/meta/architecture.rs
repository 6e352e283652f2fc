//! Crates and folders depend only on what is allowed: the table of dependencies is compared with `cargo metadata`.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// Package → our own packages it may use, and foreign packages it must not know (`docs/ARCHITECTURE.md`).
const ROOMS: &[(&str, &[&str], &[&str])] = &[
    ("registry-core", &[], &["tokio", "sea-orm", "actix-web", "reqwest", "jsonwebtoken", "config", "clap"]),
    ("registry-migrations", &[], &["sea-orm", "actix-web", "reqwest"]),
    ("registry", &["registry-core", "registry-migrations"], &["actix-web", "askama", "reqwest", "utoipa"]),
    ("registry-outbound", &["registry-core"], &["sea-orm", "actix-web", "askama", "utoipa"]),
    ("registration-worker", &["registry-core", "registry"], &["sea-orm", "actix-web", "askama", "reqwest"]),
    ("registry-api", &["registry-core", "registry"], &["sea-orm", "reqwest", "askama"]),
    ("registry-admin", &["registry-core", "registry"], &["sea-orm", "reqwest", "utoipa", "registry-api"]),
    ("registry-sandbox", &["registry-core"], &["sea-orm", "jsonwebtoken"]),
    ("mcp-registry-client", &[], &["sea-orm", "actix-web", "askama", "utoipa"]),
    (
        "mcp-registry",
        &[
            "registry-core",
            "registry",
            "registry-outbound",
            "registration-worker",
            "registry-api",
            "registry-admin",
            "registry-sandbox",
            "mcp-registry-client",
        ],
        &["sea-orm"],
    ),
];

#[test]
fn crates_depend_only_on_allowed_crates() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut found: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in metadata["packages"].as_array().unwrap() {
        let dependencies = package["dependencies"].as_array().unwrap();
        // Tests of a crate may use more than the crate.
        let names =
            dependencies.iter().filter(|one| one["kind"] != "dev").map(|one| one["name"].as_str().unwrap());
        found.insert(package["name"].as_str().unwrap(), names.collect());
    }
    let ours: BTreeSet<&str> = found.keys().copied().collect();
    let listed: BTreeSet<&str> = ROOMS.iter().map(|room| room.0).chain(["registry-tests"]).collect();
    let unlisted: Vec<_> = ours.difference(&listed).filter(|name| **name != "registry-benches").collect();
    assert!(unlisted.is_empty(), "not in the table of rooms: {unlisted:?}");
    let mut broken = Vec::new();
    for (package, may, must_not) in ROOMS {
        let uses = &found[package];
        broken.extend(
            uses.intersection(&ours)
                .filter(|one| !may.contains(one))
                .map(|one| format!("{package} uses {one}")),
        );
        broken.extend(
            must_not.iter().filter(|one| uses.contains(*one)).map(|one| format!("{package} knows {one}")),
        );
    }
    assert!(broken.is_empty(), "{broken:#?}");
}
