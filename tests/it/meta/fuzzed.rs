//! The fuzzer's targets on what it began with and on everything it ever found (`scripts/fuzz`).

#[path = "../../fuzz/bodies.rs"]
mod bodies;

use std::path::Path;

#[test]
fn fuzzer_findings_stay_fixed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let mut replayed = 0;
    for (target, body) in bodies::TARGETS {
        for kind in ["seeds", "kept"] {
            let Ok(files) = std::fs::read_dir(folder.join(kind).join(target)) else { continue };
            for file in files {
                let file = file.unwrap().path();
                eprintln!("{}", file.display());
                body(&std::fs::read(&file).unwrap());
                replayed += 1;
            }
        }
    }
    assert!(replayed >= 130, "{replayed}");
}
