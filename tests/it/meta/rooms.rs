//! Folders and files of a crate use one another in one direction: read from the `use` lines and paths of the code.
//!
//! A folder of `crates/registry/src` uses only folders that are above it in [`FOLDERS`]; the handles of its use cases
//! (`registry.integrations()`) count as uses. In every crate no two folders and no two files use one another; a module
//! and its own parts are one thing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The folders of the registry crate, lowest first (`docs/ARCHITECTURE.md`).
const FOLDERS: &[&str] = &[
    "ports",
    "storage",
    "lookup",
    "secrets",
    "limits",
    "audit",
    "configuration",
    "capabilities",
    "access",
    "registration",
    "rollouts",
    "servers",
    "integrations",
    "workspaces",
    "gateway",
    "identity",
    "deployment",
    "dashboard",
];

/// The files at the top of the registry crate. All may be used by every folder, and use none; `lib.rs` names everything.
const TOP: &[&str] = &["actor.rs", "error.rs", "lib.rs", "pagination.rs", "settings.rs"];

/// The modules of a crate by path (`a::b`), with their code.
type Modules = BTreeMap<String, String>;

fn crates() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../crates"))
}

/// Every module below `folder`, without comments and unit tests.
fn modules(folder: &Path) -> Modules {
    fn walk(root: &Path, folder: &Path, found: &mut Modules) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(root, &path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root).unwrap().with_extension("").display().to_string();
                let name = name.replace('/', "::");
                let name = name.strip_suffix("::mod").unwrap_or(&name).to_owned();
                let text = fs::read_to_string(&path).unwrap();
                let text = text.split("#[cfg(test)]\nmod tests").next().unwrap();
                let code: Vec<_> = text.lines().map(|line| line.split("//").next().unwrap()).collect();
                found.insert(name, code.join("\n"));
            }
        }
    }
    let mut found = Modules::new();
    walk(folder, folder, &mut found);
    assert!(found.len() > 1, "no code below {}", folder.display());
    found
}

/// The paths of a use tree: `a::{b, c::d}` → `a::b`, `a::c::d`.
fn leaves(tree: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some(open) = tree.find('{') else {
        let path = tree.split(" as ").next().unwrap().trim();
        return vec![path.strip_suffix("::self").unwrap_or(path).to_owned()];
    };
    let (before, inside) = (tree[..open].trim(), &tree[open + 1..tree.rfind('}').unwrap()]);
    let (mut depth, mut from, mut parts) = (0, 0, Vec::new());
    for (at, character) in inside.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&inside[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&inside[from..]);
    let parts = parts.into_iter().filter(|part| !part.trim().is_empty());
    parts.flat_map(leaves).map(|leaf| format!("{before}{leaf}")).collect()
}

/// The paths inside the crate that `module` names, without `crate::`.
fn paths(module: &str, code: &str) -> BTreeSet<String> {
    let parent: Vec<&str> = module.split("::").collect();
    let resolve = |path: &str| {
        if let Some(rest) = path.strip_prefix("crate::") {
            return Some(rest.to_owned());
        }
        let mut rest = path;
        let mut base = parent.clone();
        while let Some(shorter) = rest.strip_prefix("super::") {
            base.pop();
            rest = shorter;
        }
        (rest.len() < path.len()).then(|| {
            base.push(rest);
            base.join("::")
        })
    };
    let mut found = BTreeSet::new();
    for statement in code.split("use ").skip(1) {
        if let Some(tree) = statement
            .split(';')
            .next()
            .filter(|tree| tree.starts_with("crate::") || tree.starts_with("super::"))
        {
            found.extend(
                leaves(&tree.split_whitespace().collect::<Vec<_>>().join(" "))
                    .iter()
                    .filter_map(|leaf| resolve(leaf)),
            );
        }
    }
    for word in code.split(|character: char| !(character.is_alphanumeric() || matches!(character, '_' | ':')))
    {
        found.extend(resolve(word.trim_end_matches(':')));
    }
    found
}

/// Names that `lib.rs` exports, with the folder that they come from.
fn exports(library: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for statement in library.split("pub use ").skip(1) {
        let tree = statement.split(';').next().unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
        for leaf in leaves(&tree) {
            let (folder, name) = (leaf.split("::").next().unwrap(), leaf.rsplit("::").next().unwrap());
            found.insert(name.to_owned(), folder.to_owned());
        }
    }
    found
}

/// Which modules each module uses: the deepest known one on each path.
fn graph(modules: &Modules) -> BTreeMap<&str, BTreeSet<&str>> {
    let known = |path: &str| {
        let mut path = path;
        loop {
            if let Some((name, _)) = modules.get_key_value(path) {
                return Some(name.as_str());
            }
            path = path.rsplit_once("::")?.0;
        }
    };
    modules
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "lib" | "main"))
        .map(|(name, code)| {
            let uses = paths(name, code);
            let uses = uses.iter().filter_map(|path| known(path)).filter(|used| *used != name.as_str());
            (name.as_str(), uses.collect())
        })
        .collect()
}

/// A path from a module back to itself, if there is one that leaves the module and its parts.
fn circle<'a>(graph: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> Option<Vec<&'a str>> {
    fn visit<'a>(
        at: &'a str,
        graph: &BTreeMap<&'a str, BTreeSet<&'a str>>,
        way: &mut Vec<&'a str>,
        done: &mut BTreeSet<&'a str>,
    ) -> Option<Vec<&'a str>> {
        if let Some(begin) = way.iter().position(|seen| *seen == at) {
            return Some(way[begin..].to_vec());
        }
        if done.contains(at) {
            return None;
        }
        way.push(at);
        for next in graph.get(at).into_iter().flatten() {
            let is_part = |outer: &str, inner: &str| inner.starts_with(&format!("{outer}::"));
            // A module names its parts, and parts what the module holds for them.
            if is_part(at, next) || is_part(next, at) {
                continue;
            }
            if let Some(found) = visit(next, graph, way, done) {
                return Some(found);
            }
        }
        way.pop();
        done.insert(at);
        None
    }
    let mut done = BTreeSet::new();
    graph.keys().find_map(|start| visit(start, graph, &mut Vec::new(), &mut done))
}

#[test]
fn files_of_a_crate_have_no_import_circle() {
    for name in ["core", "registry", "outbound", "worker", "api", "admin", "sandbox", "server"] {
        let modules = modules(&crates().join(name).join("src"));
        assert_eq!(circle(&graph(&modules)), None, "files of {name} use one another");
    }
}

#[test]
fn folders_of_a_crate_have_no_import_circle() {
    for name in ["core", "registry", "outbound", "worker", "api", "admin", "sandbox", "server"] {
        let modules = modules(&crates().join(name).join("src"));
        let folder = |module: &str| module.split_once("::").map(|(folder, _)| folder.to_owned());
        let files = graph(&modules);
        let mut folders: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (module, uses) in &files {
            let Some(from) = folder(module) else { continue };
            let uses = uses.iter().filter_map(|used| folder(used)).filter(|to| *to != from);
            folders.entry(from.clone()).or_default().extend(uses);
        }
        let folders: BTreeMap<&str, BTreeSet<&str>> = folders
            .iter()
            .map(|(from, to)| (from.as_str(), to.iter().map(String::as_str).collect()))
            .collect();
        assert_eq!(circle(&folders), None, "folders of {name} use one another");
    }
}

#[test]
fn folders_of_the_registry_use_only_those_above_them() {
    let root = crates().join("registry/src");
    let modules = modules(&root);
    let exported = exports(&modules["lib"]);
    let rank = |folder: &str| FOLDERS.iter().position(|known| *known == folder);
    // The method of `Registry` that reaches the use cases of a folder.
    let mut handles: BTreeMap<&str, usize> = BTreeMap::new();
    for (module, code) in modules.iter().filter(|(module, _)| FOLDERS.contains(&module.as_str())) {
        for method in code.split("pub fn ").skip(1).filter_map(|rest| rest.split_once("(&self)")) {
            handles.insert(method.0, rank(module).unwrap());
        }
    }
    assert!(handles.len() > 15, "the handles were not found: {handles:?}");
    let mut upward = Vec::new();
    for (module, code) in modules.iter().filter(|(module, _)| *module != "lib") {
        // Files at the top use no folder.
        let own = module.split_once("::").map_or(module.as_str(), |(folder, _)| folder);
        let own_rank = rank(own);
        for path in paths(module, code) {
            let first = path.split("::").next().unwrap();
            let used = exported.get(first).map_or(first, String::as_str);
            if rank(used).is_some_and(|used| own_rank.is_none_or(|own| used > own)) {
                upward.push(format!("{module} uses {path} of {used}"));
            }
        }
        let squeezed: String = code.split_whitespace().collect();
        for (handle, handle_rank) in &handles {
            let calls = squeezed.contains(&format!("registry.{handle}()."))
                || squeezed.contains(&format!("registry.{handle}()?"));
            if calls && own_rank.is_none_or(|own| *handle_rank > own) {
                upward.push(format!("{module} calls registry.{handle}()"));
            }
        }
    }
    assert!(upward.is_empty(), "{upward:#?}");
}

#[test]
fn registry_has_five_top_files_and_ordered_folders() {
    let root = crates().join("registry/src");
    let mut files = BTreeSet::new();
    for entry in fs::read_dir(root).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if entry.path().is_dir() {
            assert!(FOLDERS.contains(&name.as_str()), "the folder {name} has no place in the order");
        } else {
            files.insert(name);
        }
    }
    assert_eq!(files, TOP.iter().map(|name| (*name).to_owned()).collect());
}

#[test]
fn only_the_worker_reaches_the_registration_queue() {
    for name in ["api", "admin", "outbound", "sandbox", "server"] {
        for (module, code) in modules(&crates().join(name).join("src")) {
            for word in ["registration_queue", "RegistrationQueue"] {
                assert!(!code.contains(word), "{name}::{module} names {word}");
            }
        }
    }
}
