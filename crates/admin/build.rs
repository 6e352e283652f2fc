//! Writes the table of embedded assets: `static/dist` (npm output) where it is there, else `static/src` (our own,
//! dependency-free files). Never runs npm, never touches the network (`docs/ARCHITECTURE.md`).

#![expect(clippy::disallowed_methods, reason = "a build script is told by its environment")]

use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-env-changed=UI_DIST");
    println!("cargo::rerun-if-env-changed=UI_REQUIRE_DIST");
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("../../static");
    println!("cargo::rerun-if-changed={}", root.display());
    let dist = env::var_os("UI_DIST").map_or_else(|| root.join("dist"), PathBuf::from);
    let full = dist.join("manifest.json").is_file();
    assert!(
        full || env::var_os("UI_REQUIRE_DIST").is_none(),
        "UI_REQUIRE_DIST is set but static/dist is not built"
    );
    let folder = if full { dist } else { root.join("src") };
    let mut files = Vec::new();
    walk(&folder, &mut files);
    files.sort();
    let mut table = format!(
        "/// Whether the enhancement layer is built in.\npub(crate) const FULL: bool = {full};\n\npub(super) const ASSETS: &[Asset] = &[\n"
    );
    for path in files {
        let name = path.strip_prefix(&folder).expect("below it").to_string_lossy().replace('\\', "/");
        let bytes = fs::read(&path).expect("readable");
        let hash = Sha256::digest(&bytes)[..6].iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        let _ = writeln!(
            table,
            "    Asset {{ name: {name:?}, hash: {hash:?}, bytes: include_bytes!({:?}) }},",
            path.display().to_string()
        );
    }
    table.push_str("];\n");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it")).join("assets.rs");
    fs::write(out, table).expect("writable");
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { walk(&path, files) } else { files.push(path) }
    }
}
