//! The house: which module may use which. Reads the `crate::` paths of every file and names a wrong arrow.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Each module with its floor; a module may use those of a lower floor. Domains (floor 40 up) are in the order of
/// `src/lib.rs`: a domain may use the ones above it there.
const FLOORS: &[(&str, u32)] = &[
    ("error", 0),
    ("address", 0),
    ("config", 1),
    ("time", 1),
    ("ids", 2),
    ("money", 2),
    ("seal", 3),
    ("page", 3),
    ("db", 4),
    ("scope", 5),
    ("queue", 5),
    ("cache", 5),
    ("wecom", 6),
    ("app", 7),
    ("job", 8),
    ("tally", 40),
    ("directory", 41),
    ("auth", 42),
    ("timeline", 43),
    ("contacts", 44),
    ("tags", 45),
    ("groups", 46),
    ("sync", 47),
    ("segments", 48),
    ("links", 49),
    ("welcomes", 50),
    ("campaigns", 51),
    ("moments", 52),
    ("orders", 53),
    ("marking", 54),
    ("metrics", 55),
    ("doctor", 56),
    ("files", 57),
    ("care", 58),
    ("persons", 59),
    ("routes", 60),
    ("seed", 61),
    ("jobs", 62),
    ("web", 62),
    ("api", 62),
    ("server", 63),
];

/// What the simulator may use: the platform's words and the floor, no domain.
const SANDBOX_MAY: &[&str] = &["wecom", "ids", "time", "error", "sandbox"];

/// What its tests may use besides: they drive it with the real client, which keeps its tokens in a cache.
const SANDBOX_TESTS_MAY: &[&str] = &["wecom", "cache"];

#[test]
fn arrows_point_down() {
    let mut wrong = Vec::new();
    for file in rust_files(Path::new("src")) {
        let module = module_of(&file);
        let is_sandbox_test = file.starts_with("src/sandbox/tests");
        for used in used_modules(&file) {
            let for_its_test = is_sandbox_test && SANDBOX_TESTS_MAY.contains(&used.as_str());
            if used == module || is_allowed(&module, &used) || for_its_test {
                continue;
            }
            wrong.push(format!("{}: `{module}` uses `{used}`", file.display()));
        }
    }
    assert!(wrong.is_empty(), "arrows that point up:\n{}", wrong.join("\n"));
}

#[test]
fn the_list_of_modules_is_the_table_of_contents() {
    let lib = fs::read_to_string("src/lib.rs").unwrap();
    let listed: Vec<&str> = lib
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
        .collect();
    for module in &listed {
        assert!(
            *module == "sandbox" || floor(module).is_some(),
            "`{module}` has no floor in this test"
        );
    }
    let domains: Vec<u32> = listed
        .iter()
        .filter_map(|module| floor(module))
        .filter(|floor| (40..60).contains(floor))
        .collect();
    assert!(
        domains.is_sorted(),
        "src/lib.rs lists the domains in another order"
    );
}

#[test]
fn sql_stays_in_stores() {
    // Domains keep their statements in store.rs (or a store/ folder); the floor and the seed have their own.
    let exempt = ["src/db", "src/queue.rs", "src/seed", "src/commands", "src/jobs"];
    let mut wrong = Vec::new();
    for file in rust_files(Path::new("src")) {
        let path = file.to_string_lossy().into_owned();
        let is_store = path.contains("store.rs") || path.contains("/store/");
        if is_store || exempt.iter().any(|start| path.starts_with(start)) || path.contains("/tests") {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        let product = text.split("#[cfg(test)]").next().unwrap_or_default();
        for call in [
            "db::run(",
            "db::all(",
            "db::first(",
            "db::find(",
            "db::rows(",
            "db::scalar(",
            "db::scalars(",
            "db::insert_many(",
        ] {
            if product.contains(call) {
                wrong.push(format!("{path}: {call}…)"));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "statements outside a store:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn whoever_writes_what_rules_name_says_so() {
    // A name is not what a rule hangs on.
    let harmless = ["set_name", "rename_region"];
    let tables = ["tag", "store", "region"];
    let writes: Vec<String> = tables
        .iter()
        .flat_map(|table| {
            [
                format!("insert into {table} "),
                format!("update {table} set "),
                format!("delete from {table} "),
            ]
        })
        .collect();
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for file in rust_files(Path::new("src")) {
        let path = file.to_string_lossy().into_owned();
        if ["src/seed", "src/sandbox"]
            .iter()
            .any(|start| path.starts_with(start))
        {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        for function in text.split("fn ") {
            let name = function.split(['(', '<']).next().unwrap_or_default();
            if writes.iter().any(|write| function.contains(write.as_str())) && !harmless.contains(&name) {
                seen += 1;
                if !function.contains(".note_named(") {
                    wrong.push(format!("{path}: {name}"));
                }
            }
        }
    }
    assert!(seen >= 9, "{seen}: the statements look otherwise now");
    assert!(wrong.is_empty(), "no `note_named`:\n{}", wrong.join("\n"));
}

#[test]
fn project_files_hold_no_unfinished_work() {
    let mut wrong = Vec::new();
    for file in rust_files(Path::new("src")) {
        let text = fs::read_to_string(&file).unwrap();
        // Put together here so that this file does not find itself.
        for mark in [
            concat!("todo", "!("),
            concat!("unimplemented", "!("),
            concat!("FIX", "ME"),
            concat!("allow(", "dead_code"),
        ] {
            if text.contains(mark) {
                wrong.push(format!("{}: {mark}", file.display()));
            }
        }
    }
    for file in files(Path::new("templates"), "html") {
        let text = fs::read_to_string(&file).unwrap();
        for mark in ["|safe", "| safe", " style=\"", "<script>", "javascript:"] {
            if text.contains(mark) {
                wrong.push(format!("{}: {mark}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn is_allowed(module: &str, used: &str) -> bool {
    match (module, used) {
        // Commands and the crate's root put everything together.
        ("main" | "commands" | "lib", _) => true,
        ("sandbox", used) => SANDBOX_MAY.contains(&used),
        (_, "sandbox") => false,
        // Errors of the database are told apart in one place; the id macro makes database values and API schemas.
        _ => match (floor(module), floor(used)) {
            (Some(from), Some(to)) => from > to,
            _ => false,
        },
    }
}

fn floor(module: &str) -> Option<u32> {
    FLOORS
        .iter()
        .find(|(name, _)| *name == module)
        .map(|(_, floor)| *floor)
}

fn module_of(file: &Path) -> String {
    let part = file
        .components()
        .nth(1)
        .expect("a file below src")
        .as_os_str()
        .to_string_lossy()
        .into_owned();
    part.trim_end_matches(".rs").to_owned()
}

/// First segments after `crate::`, in code and in nested `use crate::{a::…, b}` lists.
fn used_modules(file: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(file).unwrap();
    let code: String = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n");
    let mut used = BTreeSet::new();
    for (place, _) in code.match_indices("crate::") {
        let rest = &code[place + "crate::".len()..];
        if let Some(list) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut name = String::new();
            let mut at_start = true;
            for character in list.chars() {
                match character {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => at_start = true,
                    c if depth == 0 && at_start && (c.is_alphanumeric() || c == '_') => name.push(c),
                    c if depth == 0 && !name.is_empty() && !c.is_alphanumeric() => {
                        used.insert(std::mem::take(&mut name));
                        at_start = false;
                    }
                    _ => {}
                }
            }
            if !name.is_empty() {
                used.insert(name);
            }
        } else {
            let name: String = rest
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            used.insert(name);
        }
    }
    // Macros and re-exports of the crate's root are not modules.
    used.retain(|name| name != "args" && !name.is_empty());
    used
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    files(folder, "rs")
}

fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.extension().is_some_and(|extension| extension == ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}
