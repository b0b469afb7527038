//! The table of requirements: the tests and cases in it exist, and its page is up to date.

use std::{collections::HashSet, env, fmt::Write, fs, path::PathBuf};

use serde::Deserialize;
use serde_json::Value;

const TABLE: &str = "tests/requirements.toml";
const PAGE: &str = "docs/requirements.md";
/// Environment variable: if set, the page is written instead of compared.
const UPDATE: &str = "UPDATE_REQUIREMENTS";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(rename = "document")]
    documents: Vec<Document>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    id: String,
    title: String,
    #[serde(rename = "requirement")]
    requirements: Vec<Requirement>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Requirement {
    id: String,
    section: String,
    text: String,
    tests: Option<Vec<String>>,
    #[serde(default)]
    cases: Vec<String>,
    not_applicable: Option<String>,
    untested: Option<String>,
    decided_otherwise: Option<String>,
}

impl Table {
    fn read() -> Self {
        toml::from_str(&read(TABLE).unwrap()).unwrap()
    }

    fn requirements(&self) -> impl Iterator<Item = &Requirement> {
        self.documents
            .iter()
            .flat_map(|document| &document.requirements)
    }
}

impl Requirement {
    fn tests(&self) -> &[String] {
        self.tests.as_deref().unwrap_or_default()
    }

    /// Whether tests show the requirement without a deviation.
    fn is_shown(&self) -> bool {
        self.tests.is_some() && self.decided_otherwise.is_none()
    }

    /// The reason why it is not, if there is one.
    fn reason(&self) -> Option<&str> {
        self.not_applicable
            .as_deref()
            .or(self.untested.as_deref())
            .or(self.decided_otherwise.as_deref())
    }
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn read(name: &str) -> Option<String> {
    fs::read_to_string(path(name)).ok()
}

#[test]
fn rows_are_complete_and_in_order() {
    let table = Table::read();
    let ids: HashSet<_> = table.requirements().map(|row| row.id.as_str()).collect();
    assert_eq!(ids.len(), table.requirements().count(), "an id repeats");
    for document in &table.documents {
        let sections = document
            .requirements
            .iter()
            .map(|row| section(&row.section));
        assert!(sections.is_sorted(), "{} is in disorder", document.id);
        for row in &document.requirements {
            let id = &row.id;
            let start = format!("{}-{}-", document.id, row.section);
            assert!(id.len() > start.len() && id.starts_with(&start), "{id}");
            let states = [
                row.is_shown(),
                row.not_applicable.is_some(),
                row.untested.is_some(),
                row.decided_otherwise.is_some(),
            ];
            assert_eq!(states.iter().filter(|holds| **holds).count(), 1, "{id}");
            assert_eq!(row.tests.is_some(), !row.tests().is_empty(), "{id}");
            assert!(row.cases.is_empty() || row.tests.is_some(), "{id}");
            for text in [Some(row.text.as_str()), row.reason()]
                .into_iter()
                .flatten()
            {
                let fits_a_cell = !text.is_empty() && !text.contains(['\n', '|']);
                assert!(fits_a_cell, "{id}: {text}");
            }
            // A reason may name another row.
            for word in row.reason().unwrap_or_default().split(' ') {
                let names_a_row = table.documents.iter().any(|document| {
                    let rest = word.strip_prefix(&document.id);
                    rest.is_some_and(|rest| rest.starts_with('-'))
                });
                assert!(!names_a_row || ids.contains(word), "{id}: {word}");
            }
        }
    }
}

/// `4.1.11` is after `4.1.2`.
fn section(text: &str) -> Vec<u32> {
    text.split('.').map(|part| part.parse().unwrap()).collect()
}

#[test]
fn every_test_that_is_named_exists() {
    for row in Table::read().requirements() {
        for test in row.tests() {
            assert!(is_test(test), "{}: there is no test {test}", row.id);
        }
    }
    for none in [
        "it::session",
        "it::session::no_such_test",
        "it::session::tests::a_duplicate_claim_is_rejected",
        "it::support::good_token",
        "session::a_duplicate_claim_is_rejected",
        "key::hmac::a_secret_is_long_enough_and_no_key",
        "key::hmac::tests::long",
        "client::zone::tests::offsets_follow_daylight_saving",
        "no_such_module::tests::no_such_test",
    ] {
        assert!(!is_test(none), "{none}");
    }
}

#[test]
fn every_attack_is_shown_by_tests_that_exist() {
    let text = read("SECURITY.md").unwrap();
    let (_, attacks) = text.split_once("## Known attacks").unwrap();
    let rows = attacks.lines().filter(|line| line.starts_with("| "));
    let rows: Vec<_> = rows
        .filter(|row| !row.starts_with("| ---"))
        .skip(1)
        .collect();
    assert!(rows.len() > 20);
    for row in rows {
        let shown_by = row.rsplit('|').nth(1).unwrap();
        let tests: Vec<_> = shown_by
            .split('`')
            .filter(|name| name.contains("::"))
            .collect();
        assert!(!tests.is_empty(), "{row}");
        for test in tests {
            assert!(is_test(test), "there is no test {test}");
        }
    }
}

/// Whether the module file that a path names has this test. The first name is that of a file or
/// folder in `tests`, of the package in `lab` that tests against another crate, or of a module of the
/// library.
fn is_test(test: &str) -> bool {
    let names: Vec<_> = test.split("::").collect();
    let Some((function, modules)) = names.split_last() else {
        return false;
    };
    let roots = ["tests", "crates/redis/tests", "lab/second_opinion/tests"];
    let root = roots.into_iter().find(|root| {
        let stem = format!("{root}/{}", names[0]);
        path(&format!("{stem}/main.rs")).exists() || path(&format!("{stem}.rs")).exists()
    });
    let root = root.unwrap_or("src");
    // A module without a file of its own is inside one.
    let file = (1..=modules.len()).rev().find_map(|count| {
        let stem = format!("{root}/{}", modules[..count].join("/"));
        let text = read(&format!("{stem}.rs")).or_else(|| read(&format!("{stem}/mod.rs")))?;
        Some((text, &modules[count..]))
    });
    file.is_some_and(|(text, inner)| {
        let mut part = Some(text.as_str());
        for module in inner {
            part = part.and_then(|text| inside(text, module));
        }
        part.is_some_and(|text| has_test(text, function, inner.len()))
    })
}

/// The lines of a module in a file that rustfmt has formatted.
fn inside<'t>(text: &'t str, module: &str) -> Option<&'t str> {
    let (before, rest) = text.split_once(&format!("mod {module} {{\n"))?;
    let indent = before.rsplit('\n').next().unwrap_or_default();
    let (lines, _) = rest.split_once(&format!("\n{indent}}}"))?;
    Some(lines)
}

/// Whether there is a function that the attributes in front of it make a test: in the module itself
/// or in a macro there, such as `proptest!`, but in no module inside. Modules are indented by four
/// spaces each.
fn has_test(text: &str, name: &str, depth: usize) -> bool {
    let indent = " ".repeat(4 * depth);
    let starts = [format!("fn {name}("), format!("async fn {name}(")];
    let (mut is_inside, mut is_attributed) = (false, false);
    text.lines().any(|line| {
        let own = line.strip_prefix(&indent).unwrap_or_default();
        is_inside = if is_inside {
            own != "}"
        } else {
            own.starts_with("mod ") && own.ends_with('{')
        };
        let line = line.trim_start();
        let is_it =
            !is_inside && is_attributed && starts.iter().any(|start| line.starts_with(start));
        is_attributed = match line {
            "#[test]" => true,
            _ if line.starts_with("#[tokio::test") => true,
            _ => is_attributed && (line.starts_with("#[") || line.starts_with("///")),
        };
        is_it
    })
}

#[test]
fn every_case_that_is_named_exists() {
    let mut names = HashSet::new();
    for file in ["jws-visible", "rfc-examples"] {
        let text = read(&format!("tests/vectors/{file}.json")).unwrap();
        let file: Value = serde_json::from_str(&text).unwrap();
        for case in file["cases"].as_array().unwrap() {
            for member in ["class", "name"] {
                names.insert(case[member].as_str().unwrap().to_owned());
            }
        }
    }
    for row in Table::read().requirements() {
        for case in &row.cases {
            assert!(names.contains(case), "{}: there is no case {case}", row.id);
        }
        let of_vectors = row.tests().iter().any(|test| test.starts_with("vectors::"));
        assert!(of_vectors || row.cases.is_empty(), "{}", row.id);
    }
}

#[test]
fn the_page_is_up_to_date() {
    let page = page(&Table::read());
    if env::var_os(UPDATE).is_some() {
        fs::write(path(PAGE), page).unwrap();
        return;
    }
    let is_same = read(PAGE).is_some_and(|written| written == page);
    assert!(is_same, "{PAGE} is stale: {UPDATE}=1 writes it again");
}

fn page(table: &Table) -> String {
    let mut page = format!(
        "# Requirements\n\n\
         What the specifications demand that this crate follows, in our own words, and which tests show it.\n\n\
         Made from [`{TABLE}`](../{TABLE});\n\
         `{UPDATE}=1 cargo test --test it requirements` writes it again. A test is named as\n\
         `cargo test` names it; those of `tests/it` begin with `it`. Cases are classes or names of the\n\
         [vectors](../tests/vectors/README.md).\n\n\
         | document | shown by tests | not applicable | untested | decided otherwise | all |\n\
         | --- | --- | --- | --- | --- | --- |\n"
    );
    let mut sums = [0; 5];
    for Document {
        id,
        title,
        requirements,
    } in &table.documents
    {
        let count =
            |state: fn(&Requirement) -> bool| requirements.iter().filter(|row| state(row)).count();
        let counts = [
            count(Requirement::is_shown),
            count(|row| row.not_applicable.is_some()),
            count(|row| row.untested.is_some()),
            count(|row| row.decided_otherwise.is_some()),
            requirements.len(),
        ];
        for (sum, count) in sums.iter_mut().zip(counts) {
            *sum += count;
        }
        writeln!(page, "| [{title}](#{id}) | {} |", cells(&counts)).unwrap();
    }
    writeln!(page, "| all | {} |", cells(&sums)).unwrap();
    for document in &table.documents {
        let Document { id, title, .. } = document;
        write!(
            page,
            "\n## <a id=\"{id}\"></a>{title}\n\n| id | requirement | shown by |\n| --- | --- | --- |\n"
        )
        .unwrap();
        for row in &document.requirements {
            writeln!(page, "| {} | {} | {} |", row.id, row.text, shown_by(row)).unwrap();
        }
    }
    page
}

fn cells(counts: &[usize]) -> String {
    let cells: Vec<_> = counts.iter().map(ToString::to_string).collect();
    cells.join(" | ")
}

fn shown_by(row: &Requirement) -> String {
    let quoted = |names: &[String]| {
        let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
        names.join(", ")
    };
    let tests = if row.cases.is_empty() {
        quoted(row.tests())
    } else {
        format!("{}; cases {}", quoted(row.tests()), quoted(&row.cases))
    };
    match (&row.not_applicable, &row.untested, &row.decided_otherwise) {
        (Some(reason), ..) => format!("not applicable: {reason}"),
        (_, Some(reason), _) => format!("**untested:** {reason}"),
        (.., Some(reason)) if tests.is_empty() => format!("**decided otherwise:** {reason}"),
        (.., Some(reason)) => format!("**decided otherwise:** {reason}: {tests}"),
        _ => tests,
    }
}
