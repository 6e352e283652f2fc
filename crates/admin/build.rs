//! Writes the table of embedded assets: our own files of `static/src`, and what npm built into `static/dist` where that is
//! there. Never runs npm, never touches the network (`docs/ARCHITECTURE.md`).

#![expect(clippy::disallowed_methods, reason = "a build script is told by its environment")]

use flate2::{Compression, write::GzEncoder};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// What the base layer is made of.
const BASE: [&str; 5] = ["app.css", "app.js", "unsaved.js", "palette.js", "icon.svg"];
/// What npm adds.
const ENHANCEMENT: [&str; 2] = ["live.js", "editor.js"];

fn main() {
    println!("cargo::rerun-if-env-changed=UI_DIST");
    println!("cargo::rerun-if-env-changed=UI_REQUIRE_DIST");
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("../../static");
    let dist = env::var_os("UI_DIST").map_or_else(|| root.join("dist"), PathBuf::from);
    println!("cargo::rerun-if-changed={}", root.join("src").display());
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let full = dist.join("manifest.json").is_file();
    // A path that is not there would make cargo run this each time; the folder around it tells when it comes to be.
    println!("cargo::rerun-if-changed={}", if full { &dist } else { &root }.display());
    if !full {
        assert!(
            env::var_os("UI_REQUIRE_DIST").is_none(),
            "UI_REQUIRE_DIST is set but static/dist is not built"
        );
        println!(
            "cargo::warning=static/dist is not built: the admin pages work, without live filters and with a plain text area \
             for JSON. `npm ci && npm run build` in static/ adds them."
        );
    }
    let mut table = format!(
        "/// Whether the enhancement layer is built in.\npub(crate) const FULL: bool = {full};\n\npub(super) const ASSETS: &[Asset] = &[\n"
    );
    let base = out.join("base");
    fs::create_dir_all(&base).expect("writable");
    for name in BASE {
        let text = fs::read_to_string(root.join("src").join(name)).expect("readable");
        fs::write(base.join(name), if has_extension(name, "js") { shortened(&text) } else { text })
            .expect("writable");
        entry(&mut table, &base, &out, name);
    }
    for name in ENHANCEMENT.into_iter().filter(|_| full) {
        entry(&mut table, &dist, &out, name);
    }
    table.push_str("];\n");
    fs::write(out.join("assets.rs"), table).expect("writable");
}

fn has_extension(name: &str, extension: &str) -> bool {
    std::path::Path::new(name).extension().is_some_and(|found| found == extension)
}

/// A script without the lines that are comments, and without indentation: no text of ours spans lines.
fn shortened(script: &str) -> String {
    let lines =
        script.lines().map(str::trim_start).filter(|line| !line.is_empty() && !line.starts_with("//"));
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// One line of the table: the bytes, and the same compressed: by npm where that did it, else here.
fn entry(table: &mut String, folder: &Path, out: &Path, name: &str) {
    let path = folder.join(name);
    let bytes = fs::read(&path).expect("readable");
    let hash = Sha256::digest(&bytes)[..6].iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    let gzip = twin(folder, out, &format!("{name}.gz"), || gzip(&bytes));
    let brotli = twin(folder, out, &format!("{name}.br"), || brotli(&bytes));
    let [path, gzip, brotli] = [path, gzip, brotli].map(|path| path.display().to_string());
    let _ = writeln!(
        table,
        "    Asset {{ name: {name:?}, hash: {hash:?}, bytes: include_bytes!({path:?}), gzip: include_bytes!({gzip:?}), brotli: include_bytes!({brotli:?}) }},"
    );
}

fn twin(folder: &Path, out: &Path, name: &str, compress: impl FnOnce() -> Vec<u8>) -> PathBuf {
    let built = folder.join(name);
    if built.is_file() {
        return built;
    }
    let made = out.join(name);
    fs::write(&made, compress()).expect("writable");
    made
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("memory takes everything");
    encoder.finish().expect("memory takes everything")
}

fn brotli(bytes: &[u8]) -> Vec<u8> {
    let mut compressed = Vec::new();
    let parameters = brotli::enc::BrotliEncoderParams::default();
    brotli::BrotliCompress(&mut &*bytes, &mut compressed, &parameters).expect("memory takes everything");
    compressed
}
