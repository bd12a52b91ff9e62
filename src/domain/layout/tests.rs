//! Properties of the tree: no cell twice, no cell lost, no pane lost, whatever is done to it.

use proptest::prelude::*;

use super::*;
use crate::domain::ids::{EntityId, SessionId};

fn pane(number: u32) -> SessionId {
    SessionId(EntityId::derived("pane", &number.to_string()))
}

/// Something done to a tab; numbers are taken modulo the panes that are there.
#[derive(Clone, Debug)]
enum Step {
    Split(usize, bool),
    Close(usize),
    Focus(usize),
    Resize(Direction, u16),
    Swap(isize),
    Rotate(bool),
    Arrange(usize),
    Drag(usize, i32),
}

fn direction() -> impl Strategy<Value = Direction> {
    prop_oneof![
        Just(Direction::Left),
        Just(Direction::Right),
        Just(Direction::Up),
        Just(Direction::Down),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (any::<usize>(), any::<bool>()).prop_map(|(at, below)| Step::Split(at, below)),
        1 => any::<usize>().prop_map(Step::Close),
        1 => any::<usize>().prop_map(Step::Focus),
        2 => (direction(), 0u16..300).prop_map(|(way, cells)| Step::Resize(way, cells)),
        1 => (-3isize..4).prop_map(Step::Swap),
        1 => any::<bool>().prop_map(Step::Rotate),
        1 => (0usize..5).prop_map(Step::Arrange),
        1 => (any::<usize>(), -50i32..50).prop_map(|(seam, by)| Step::Drag(seam, by)),
    ]
}

fn carry_out(tab: &mut Tab, step: &Step, next: &mut u32) {
    let panes = tab.panes();
    let nth = |index: usize| panes[index % panes.len()];
    match step {
        Step::Split(at, below) => {
            *next += 1;
            let axis = if *below { Axis::Below } else { Axis::Beside };
            tab.split(nth(*at), axis, pane(*next));
        }
        Step::Close(at) if panes.len() > 1 => {
            *tab = tab.clone().without(nth(*at)).expect("others are left");
        }
        Step::Close(_) => {}
        Step::Focus(at) => tab.focus_on(nth(*at)),
        Step::Resize(way, cells) => {
            tab.resize(*way, *cells);
        }
        Step::Swap(by) => tab.swap(*by),
        Step::Rotate(forward) => tab.root.rotate(*forward),
        Step::Arrange(shape) => tab.arrange(Shape::ALL[*shape]),
        Step::Drag(seam, by) => {
            let seams = tab.places(tab.room).seams;
            if let Some(seam) = seams.get(seam % seams.len().max(1)) {
                let inside = Tab::inside(tab.room);
                tab.root.move_seam(&seam.path, seam.before, inside, *by);
            }
        }
    }
}

/// Every cell of the room is in just one pane or on a line. Lines that cross share no cell, because one split's line ends
/// where the other split's part ends.
fn check(tab: &Tab, room: Area) {
    let places = tab.places(room);
    if places.crowded {
        assert!(
            !tab.root.fits(Tab::inside(room)),
            "it was called crowded without need"
        );
        assert_eq!(places.panes, [(tab.focus, room)]);
        return;
    }
    let inside = if tab.is_split() {
        Tab::inside(room)
    } else {
        room
    };
    let mut cells = vec![0u8; usize::from(inside.cols) * usize::from(inside.rows)];
    let mut fill = |area: Area| {
        for y in area.y..area.y + area.rows {
            for x in area.x..area.x + area.cols {
                let at = usize::from(y - inside.y) * usize::from(inside.cols) + usize::from(x);
                cells[at] += 1;
            }
        }
    };
    for (_, area) in &places.panes {
        assert!(
            area.cols >= MIN_COLS.min(inside.cols) && area.rows >= MIN_ROWS,
            "{area:?}"
        );
        fill(*area);
    }
    places.seams.iter().for_each(|seam| fill(seam.area));
    assert!(cells.iter().all(|count| *count == 1), "{tab:?} in {room:?}");
    let shown: Vec<SessionId> = places.panes.iter().map(|(id, _)| *id).collect();
    assert_eq!(
        shown,
        tab.panes(),
        "every pane is shown, in the order of reading"
    );
}

fn sorted(mut panes: Vec<SessionId>) -> Vec<SessionId> {
    panes.sort();
    panes
}

/// No split in a split along the same axis, and none of one part.
fn in_order(node: &Node<SessionId>, above: Option<Axis>) -> bool {
    match node {
        Node::Pane(_) => true,
        Node::Split { axis, parts } => {
            parts.len() > 1
                && above != Some(*axis)
                && parts
                    .iter()
                    .all(|part| part.weight > 0 && in_order(&part.node, Some(*axis)))
        }
    }
}

proptest! {
    #[test]
    fn whatever_is_done_every_cell_belongs_to_just_one_pane_or_line(
        steps in prop::collection::vec(step(), 0..40),
        cols in 1u16..240,
        rows in 1u16..80,
        other in (1u16..240, 1u16..80),
    ) {
        let mut tab = Tab::new(TabId(1), pane(0));
        tab.room = Area::of(cols, rows);
        let mut next = 0;
        for step in &steps {
            let before = sorted(tab.panes());
            carry_out(&mut tab, step, &mut next);
            if !matches!(step, Step::Split(..) | Step::Close(_)) {
                prop_assert_eq!(before, sorted(tab.panes()), "{:?}", step);
            }
            prop_assert!(tab.contains(tab.focus), "the focus is on a pane");
            prop_assert!(tab.last.is_none_or(|last| tab.contains(last) && last != tab.focus));
            prop_assert!(in_order(&tab.root, None), "{:?}", tab.root);
            check(&tab, tab.room);
        }
        // A window of any other size, also one where nothing fits.
        check(&tab, Area::of(other.0, other.1));
        // A text and back.
        let place = |id: &SessionId| Place {
            host: "web1".to_owned(), ticket: None, session: Some(*id), reference: String::new(), ended: None,
        };
        let saved = SavedTab { name: None, root: tab.root.map(&mut { place }), focus: 0, zoomed: false };
        let again = read(&write(std::slice::from_ref(&saved)));
        prop_assert_eq!(again, Ok(vec![saved]));
    }

    #[test]
    fn a_border_moves_as_far_as_asked_and_back(cells in 1u16..20) {
        let mut tab = Tab::new(TabId(1), pane(0));
        tab.room = Area::of(81, 25);
        tab.split(pane(0), Axis::Beside, pane(1));
        tab.focus_on(pane(0));
        let before = tab.places(tab.room);
        prop_assert!(tab.resize(Direction::Right, cells));
        let after = tab.places(tab.room);
        prop_assert_eq!(after.panes[0].1.cols, before.panes[0].1.cols + cells);
        prop_assert_eq!(after.panes[1].1.cols, before.panes[1].1.cols - cells);
        tab.resize(Direction::Left, cells);
        prop_assert_eq!(tab.places(tab.room), before);
    }

    #[test]
    fn foreign_text_is_read_or_refused_and_nothing_else(text in ".{0,200}") {
        drop(read(&text));
    }
}

/// The columns and rows of each pane, in the order of reading.
fn sizes(tab: &Tab) -> Vec<(u16, u16)> {
    let places = tab.places(tab.room);
    let sizes = places.panes.iter().map(|(_, area)| (area.cols, area.rows));
    sizes.collect()
}

#[test]
fn splits_of_an_ordinary_window() {
    let mut tab = Tab::new(TabId(1), pane(0));
    tab.room = Area::of(80, 22);
    assert_eq!(sizes(&tab), [(80, 22)]);
    assert!(tab.split(pane(0), Axis::Beside, pane(1)));
    // One row for the heads, one column for the line.
    assert_eq!(sizes(&tab), [(40, 21), (39, 21)]);
    assert!(tab.split(pane(1), Axis::Below, pane(2)));
    assert_eq!(sizes(&tab), [(40, 21), (39, 10), (39, 10)]);
    assert_eq!((tab.focus, tab.last), (pane(2), Some(pane(1))));
    for (from, way, to) in [
        (2, Direction::Up, 1),
        (1, Direction::Left, 0),
        (0, Direction::Right, 1),
        (0, Direction::Left, 1),
        (1, Direction::Up, 2),
    ] {
        tab.focus_on(pane(from));
        assert_eq!(tab.toward(way), Some(pane(to)), "{from} {way:?}");
    }
    tab.zoomed = true;
    assert_eq!(sizes(&tab), [(80, 22)]);
    tab = tab.without(pane(1)).expect("two are left");
    assert_eq!(
        sizes(&tab),
        [(40, 21), (39, 21)],
        "the neighbour got the room"
    );
    tab = tab.without(pane(0)).expect("one is left");
    assert_eq!(sizes(&tab), [(80, 22)]);
    assert_eq!(tab.without(pane(2)), None);
}

#[test]
fn a_pane_that_would_be_too_small_is_refused() {
    let mut tab = Tab::new(TabId(1), pane(0));
    tab.room = Area::of(4, 3);
    assert!(
        !tab.split(pane(0), Axis::Beside, pane(1)),
        "2 + 1 + 2 columns are needed"
    );
    assert!(
        !tab.split(pane(0), Axis::Below, pane(1)),
        "1 + 1 + 1 + 1 rows are needed"
    );
    tab.room = Area::of(5, 4);
    assert!(tab.split(pane(0), Axis::Beside, pane(1)));
    assert!(tab.split(pane(1), Axis::Below, pane(2)));
    assert_eq!(sizes(&tab), [(2, 3), (2, 1), (2, 1)]);
    assert!(
        !tab.resize(Direction::Up, 1),
        "nothing can be taken from a pane of one row"
    );
}

#[test]
fn shapes_as_tmux_has_them() {
    let mut tab = Tab::new(TabId(1), pane(0));
    tab.room = Area::of(101, 31);
    for number in 1..5 {
        let at = tab.focus;
        assert!(tab.split(at, Axis::Beside, pane(number)));
    }
    let mut seen = Vec::new();
    for _ in 0..6 {
        tab.arrange(Shape::after(tab.shape));
        seen.push((tab.shape.expect("it has one").word(), sizes(&tab)));
    }
    let expected: [(&str, [(u16, u16); 5]); 6] = [
        (
            "even-horizontal",
            [(20, 30), (20, 30), (19, 30), (19, 30), (19, 30)],
        ),
        (
            "even-vertical",
            [(101, 6), (101, 5), (101, 5), (101, 5), (101, 5)],
        ),
        (
            "main-horizontal",
            [(101, 19), (25, 10), (25, 10), (24, 10), (24, 10)],
        ),
        (
            "main-vertical",
            [(67, 30), (33, 7), (33, 7), (33, 7), (33, 6)],
        ),
        ("tiled", [(50, 10), (50, 10), (50, 9), (50, 9), (101, 9)]),
        (
            "even-horizontal",
            [(20, 30), (20, 30), (19, 30), (19, 30), (19, 30)],
        ),
    ];
    for ((name, sizes), (word, wanted)) in seen.iter().zip(expected) {
        assert_eq!((*name, sizes.as_slice()), (word, wanted.as_slice()));
    }
}

#[test]
fn a_newer_form_and_nonsense_are_told_apart_and_a_crooked_tree_is_put_in_order() {
    assert_eq!(read(r#"{"v":2,"tabs":"other"}"#), Err(Unread::Version(2)));
    assert!(matches!(read("{"), Err(Unread::Damaged(_))));
    let crooked = r#"{"v":1,"tabs":[
        {"root":{"split":{"axis":"beside","parts":[]}}},
        {"root":{"split":{"axis":"below","parts":[{"weight":0,"node":{"split":{"axis":"below","parts":[
            {"weight":3,"node":{"pane":{"host":"a"}}},{"weight":1,"node":{"pane":{"host":"b"}}}]}}},
            {"weight":4000000000,"node":{"pane":{"host":"c"}}}]}}}]}"#;
    let tabs = read(crooked).expect("it can be read");
    let hosts: Vec<&str> = tabs
        .iter()
        .flat_map(|tab| tab.root.leaves())
        .map(|place| place.host.as_str())
        .collect();
    assert_eq!((tabs.len(), hosts), (1, vec!["a", "b", "c"]));
    assert!(matches!(&tabs[0].root, Node::Split { axis: Axis::Below, parts } if parts.len() == 3));
}
