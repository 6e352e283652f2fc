//! Holds `docs/configuration.md` and the settings together.

use super::sources::known_keys;

/// The table of the page names every setting, and no other.
#[test]
fn settings_page_lists_every_setting_and_no_other() {
    let page = include_str!("../../../../docs/configuration.md");
    let section =
        page.split("\n## ").find_map(|section| section.strip_prefix("All settings\n")).unwrap_or_default();
    let listed: Vec<&str> = section
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(key, _)| key)
        .collect();
    let keys = known_keys();
    for key in keys.keys() {
        assert!(listed.contains(&key.as_str()), "docs/configuration.md lacks {key}");
    }
    for key in listed {
        assert!(keys.contains_key(key), "docs/configuration.md lists {key}, which does not exist");
    }
}

/// The page names every scope, and no other.
#[test]
fn scopes_page_lists_every_scope_and_no_other() {
    let page = include_str!("../../../../docs/configuration.md");
    let section =
        page.split("\n## ").find_map(|section| section.strip_prefix("Scopes\n")).unwrap_or_default();
    let mut listed: Vec<&str> = section.split('`').skip(1).step_by(2).collect();
    let mut names = registry_core::permission::scope_names();
    listed.sort_unstable();
    names.sort_unstable();
    assert_eq!(listed, names);
}
