//! Checks of the source itself: what the architecture says of rooms, sizes and words. Each check is a function over a path
//! and its text, and each has a test that it can fail.

mod code;
mod places;
mod rooms;
mod shape;
mod tree;

use std::error::Error;

use tree::Tree;

type Outcome = Result<(), Box<dyn Error>>;

/// Fails with everything that is wrong, a line each.
fn none(faults: &[String]) -> Outcome {
    if faults.is_empty() {
        return Ok(());
    }
    Err(format!("{} faults:\n{}", faults.len(), faults.join("\n")).into())
}

/// The faults of every production file, its tests blanked out.
fn in_production(check: impl Fn(&str, &str) -> Vec<String>) -> Outcome {
    let tree = Tree::read()?;
    let faults: Vec<String> = tree
        .production()
        .iter()
        .flat_map(|(path, text)| check(path, text))
        .collect();
    none(&faults)
}

/// The faults of every file, or part of a file, that holds tests.
fn in_tests(check: impl Fn(&str, &str) -> Vec<String>) -> Outcome {
    let tree = Tree::read()?;
    let faults: Vec<String> = tree
        .tests()
        .iter()
        .flat_map(|(path, text)| check(path, text))
        .collect();
    none(&faults)
}

#[test]
fn every_file_opens_with_its_purpose() -> Outcome {
    let tree = Tree::read()?;
    let faults: Vec<String> = tree
        .rust()
        .flat_map(|(path, text)| shape::opening(path, text))
        .collect();
    none(&faults)
}

#[test]
fn production_code_has_no_panics_and_no_unbounded_queues() -> Outcome {
    in_production(shape::words)
}

#[test]
fn only_sqlite_opens_the_store() -> Outcome {
    in_production(shape::opens_store)
}

#[test]
fn files_and_functions_are_small() -> Outcome {
    in_production(|path, text| {
        let mut faults = shape::length(path, text);
        faults.extend(shape::functions(path, text));
        faults
    })
}

#[test]
fn rooms_import_only_lower_rooms() -> Outcome {
    in_production(rooms::directions)
}

#[test]
fn outside_crates_live_in_their_rooms() -> Outcome {
    in_production(rooms::crates)?;
    let tree = Tree::read()?;
    none(&rooms::single(&tree.production()))
}

#[test]
fn every_room_has_a_rank() -> Outcome {
    let tree = Tree::read()?;
    none(&rooms::unranked(tree.paths()))
}

#[test]
fn tests_do_not_sleep() -> Outcome {
    in_tests(shape::sleeps)
}

#[test]
fn no_file_names_the_machine_it_was_written_on() -> Outcome {
    let tree = Tree::read()?;
    let faults: Vec<String> = tree
        .all()
        .iter()
        .flat_map(|(path, text)| places::machine(path, text))
        .collect();
    none(&faults)
}

#[test]
fn nothing_else_lies_at_the_top() -> Outcome {
    let tree = Tree::read()?;
    none(&places::top(tree.paths()))
}

#[test]
fn there_is_no_drawer_for_the_rest() -> Outcome {
    let tree = Tree::read()?;
    none(&places::drawers(tree.paths()))
}
